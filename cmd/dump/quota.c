/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dumps of the quota tree. */
#include "cmd/dump/items.h"

#include <inttypes.h>
#include <stdio.h>

#include "format/quota.h"

static const char *status_text(uint64_t flags, char text[64])
{
	snprintf(text, 64, "%s%s%s%s", flags & QGROUP_STATUS_ON ? "ON" : "OFF", flags & QGROUP_STATUS_RESCAN ? "|SCANNING" : "",
		 flags & QGROUP_STATUS_INCONSISTENT ? "|INCONSISTENT" : "", flags & QGROUP_STATUS_SIMPLE ? "|SIMPLE_MODE" : "");
	return text;
}

bool dump_qgroup_status(struct dump *dump, struct cursor *item, struct error *err)
{
	struct qgroup_status status;
	char text[64];

	if (!qgroup_status_read(item, &status, err))
		return false;
	VALUES(VALUE_OF(status, version), VALUE_OF(status, generation));
	if (dump->object)
		dump_bits(dump, "flags", status.flags, status_text(status.flags, text));
	else
		dump_text(dump, "flags", status_text(status.flags, text));
	VALUE("scan", status.rescan);
	if (status.has_enable_gen && (dump->object || status.flags & QGROUP_STATUS_SIMPLE))
		dump_u64(dump, "enable_gen", status.enable_gen);
	return true;
}

bool dump_qgroup_info(struct dump *dump, struct cursor *item, struct error *err)
{
	struct qgroup_info info;

	if (!qgroup_info_read(item, &info, err))
		return false;
	LINE(VALUE_OF(info, generation));
	LINE(VALUE_OF(info, referenced), VALUE_OF(info, referenced_compressed));
	LINE(VALUE_OF(info, exclusive), VALUE_OF(info, exclusive_compressed));
	return true;
}

bool dump_qgroup_limit(struct dump *dump, struct cursor *item, struct error *err)
{
	struct qgroup_limit limit;
	char text[24];

	if (!qgroup_limit_read(item, &limit, err))
		return false;
	snprintf(text, sizeof(text), "%s%" PRIx64, dump->object ? "0x" : "", limit.flags);
	LINE(dump_text(dump, "flags", text));
	LINE(dump_signed(dump, "max_referenced", limit.max_referenced), dump_signed(dump, "max_exclusive", limit.max_exclusive));
	LINE(dump_signed(dump, "rsv_referenced", limit.rsv_referenced), dump_signed(dump, "rsv_exclusive", limit.rsv_exclusive));
	return true;
}

/* The key says everything: one of the two groups is in the other. Each relation is written twice, once from either side. */
bool dump_qgroup_relation(struct dump *dump, struct cursor *item, struct error *err)
{
	if (item->left != 0)
		return error_set(err, ERROR_CORRUPT, "qgroup relation at %#" PRIx64 ": %zu bytes, not 0", item->offset, item->left);
	dump_json_u64(dump, "member", dump->key->objectid < dump->key->offset ? dump->key->objectid : dump->key->offset);
	dump_json_u64(dump, "parent", dump->key->objectid < dump->key->offset ? dump->key->offset : dump->key->objectid);
	return true;
}
