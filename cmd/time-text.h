/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times for people: in UTC, whatever machine an image is looked at on, or with --local-time in the time zone of this one. */
#ifndef CMD_TIME_TEXT_H
#define CMD_TIME_TEXT_H

#include <popt.h>
#include <stdint.h>

/* --local-time, in every command that prints times as dates. */
extern struct poptOption options_time[];

#define DATE_TEXT_SIZE 64

/* "2026-11-30 07:41:13", in the caller's buffer; NULL where the year is beyond what a date can say. */
const char *date_text(int64_t sec, char text[DATE_TEXT_SIZE]);

/* What to print behind such a date: how far it is from UTC, "+0100". */
#define ZONE_TEXT_SIZE 16
const char *zone_text(int64_t sec, char text[ZONE_TEXT_SIZE]);

/* For lists: the date, followed by the zone if that is not UTC because --local-time asked for it. */
const char *local_date_text(int64_t sec, char text[DATE_TEXT_SIZE]);

#endif /* CMD_TIME_TEXT_H */
