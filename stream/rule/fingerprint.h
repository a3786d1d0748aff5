/* The fingerprint of a text: what varies from one message to the next is replaced, so that recurring ones are equal. */
#ifndef FORESTALL_RULE_FINGERPRINT_H
#define FORESTALL_RULE_FINGERPRINT_H

#include "base/str.h"

/* Writes the fingerprint of `text` (UTF-8) to `out`, at most FINGERPRINT_GROWTH times as long, and returns its length.
 * Replaced by `<uuid>` (within words too: `volume-<uuid>`), `<addr>` (IPv4 and IPv6 with port, MAC, host:port), `<hex>`
 * (0x…, eight digits or more, a Java object's `@…`), `<n>` (with its minus), `<str>` (quoted text) and `<path>` (file
 * paths, URLs keep their scheme). Linear in the text's length. */
size_t fingerprint(struct str text, char *out);

enum { FINGERPRINT_GROWTH = 3 };

#endif
