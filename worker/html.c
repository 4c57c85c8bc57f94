/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/html.h"

enum { BAR_WIDTH = 100, MIN_S = 60, HOUR_S = 3600, DAY_S = 86400 };

void html_text(struct buf *b, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			buf_str(b, "&amp;");
			break;
		case '<':
			buf_str(b, "&lt;");
			break;
		case '>':
			buf_str(b, "&gt;");
			break;
		case '"':
			buf_str(b, "&quot;");
			break;
		case '\'':
			buf_str(b, "&#39;");
			break;
		default:
			if ((unsigned char)*s < ' ' || *s == 0x7f)
				buf_str(b, "&#xfffd;");
			else
				buf_char(b, *s);
		}
	}
}

void html_bytes(struct buf *b, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	unsigned unit = 0;

	while (value >= (double)KIB && unit + 1 < ARRAY_LEN(units)) {
		value /= (double)KIB;
		unit++;
	}
	buf_printf(b, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void html_span(struct buf *b, int64_t seconds)
{
	long long s = seconds > 0 ? seconds : 0;

	if (s >= DAY_S)
		buf_printf(b, "%lld d %lld h", s / DAY_S, s % DAY_S / HOUR_S);
	else if (s >= HOUR_S)
		buf_printf(b, "%lld h %lld min", s / HOUR_S, s % HOUR_S / MIN_S);
	else if (s >= MIN_S)
		buf_printf(b, "%lld min", s / MIN_S);
	else
		buf_printf(b, "%lld s", s);
}

void html_cell_text(struct buf *b, const char *s)
{
	buf_str(b, "<td>");
	html_text(b, s);
	buf_str(b, "</td>");
}

void html_cell_number(struct buf *b, uint64_t n)
{
	buf_str(b, "<td class=\"n\">");
	buf_u64(b, n);
	buf_str(b, "</td>");
}

void html_cell_bytes(struct buf *b, uint64_t n)
{
	buf_str(b, "<td class=\"n\">");
	html_bytes(b, n);
	buf_str(b, "</td>");
}

/* Who reads by ear or in a terminal has the number beside it. */
void html_bar(struct buf *b, uint64_t value, uint64_t most)
{
	double part = most ? (double)value / (double)most : 0;
	unsigned width = part >= 1 ? BAR_WIDTH : (unsigned)(part * (double)BAR_WIDTH + 0.5);

	buf_printf(b,
	           " <svg width=\"%d\" height=\"10\" aria-hidden=\"true\">"
	           "<rect class=\"all\" width=\"%d\" height=\"10\"/>"
	           "<rect class=\"part\" width=\"%u\" height=\"10\"/></svg>",
	           BAR_WIDTH, BAR_WIDTH, width);
}

void html_table(struct buf *b, const char *const *heads)
{
	buf_str(b, "<table>\n<tr>");
	for (; *heads; heads++)
		buf_printf(b, "<th scope=\"col\">%s</th>", *heads);
	buf_str(b, "</tr>\n");
}

void html_table_end(struct buf *b)
{
	buf_str(b, "</table>\n");
}

/* ---- rows of a table of two columns ---- */

void html_row(struct buf *b, const char *name)
{
	buf_printf(b, "<tr><th scope=\"row\">%s</th><td>", name);
}

void html_row_end(struct buf *b)
{
	buf_str(b, "</td></tr>\n");
}

void html_row_text(struct buf *b, const char *name, const char *value)
{
	html_row(b, name);
	html_text(b, value);
	html_row_end(b);
}

void html_row_number(struct buf *b, const char *name, uint64_t n)
{
	html_row(b, name);
	buf_u64(b, n);
	html_row_end(b);
}

/* A number and its bar, of what there is room for. */
void html_row_share(struct buf *b, const char *name, uint64_t n, uint64_t of)
{
	html_row(b, name);
	html_bytes(b, n);
	buf_str(b, " of ");
	html_bytes(b, of);
	html_bar(b, n, of);
	html_row_end(b);
}
