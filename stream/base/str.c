/* Hashing, UTF-8 checking and edit distance of borrowed text. */
#include "base/str.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, n, seed);
}

/* Bytes of the sequence that `lead` opens and the range of its second byte (RFC 3629, table of section 4); 0 if none.
 */
static int utf8_sequence(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0)
            *low = 0xA0;
        if (lead == 0xED)
            *high = 0x9F;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0)
            *low = 0x90;
        if (lead == 0xF4)
            *high = 0x8F;
        return 4;
    }
    return 0;
}

bool utf8_valid(const char *p, size_t n)
{
    const uint8_t *s = (const uint8_t *)p;
    size_t i = 0;
    while (i < n) {
        uint64_t word;
        if (i + sizeof word <= n && (memcpy(&word, s + i, sizeof word), (word & 0x8080808080808080U) == 0)) {
            i += sizeof word;
            continue;
        }
        if (s[i] < 0x80) {
            i++;
            continue;
        }
        uint8_t low;
        uint8_t high;
        int length = utf8_sequence(s[i], &low, &high);
        if (length == 0 || i + (size_t)length > n || s[i + 1] < low || s[i + 1] > high)
            return false;
        for (int k = 2; k < length; k++)
            if ((s[i + (size_t)k] & 0xC0) != 0x80)
                return false;
        i += (size_t)length;
    }
    return true;
}

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours count one each. */
int str_distance(struct str a, struct str b, int max)
{
    int rows[3][65];
    if (a.n > 64 || b.n > 64 || (a.n > b.n ? a.n - b.n : b.n - a.n) > (size_t)max)
        return max + 1;
    while (a.n > 0 && b.n > 0 && a.p[0] == b.p[0]) {
        a = (struct str){a.p + 1, a.n - 1};
        b = (struct str){b.p + 1, b.n - 1};
    }
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = (int)j;
    for (size_t i = 1; i <= a.n; i++) {
        const int *two_up = rows[(i + 1) % 3];
        const int *up = rows[(i + 2) % 3];
        int *row = rows[i % 3];
        int least = row[0] = (int)i;
        for (size_t j = 1; j <= b.n; j++) {
            int best = up[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            int other = (up[j] < row[j - 1] ? up[j] : row[j - 1]) + 1;
            best = other < best ? other : best;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] && two_up[j - 2] + 1 < best)
                best = two_up[j - 2] + 1;
            row[j] = best;
            least = best < least ? best : least;
        }
        if (least > max)
            return max + 1;
    }
    int distance = rows[a.n % 3][b.n];
    return distance <= max ? distance : max + 1;
}

struct str text_cut(struct str text, size_t max)
{
    if (text.n <= max)
        return text;
    while (max > 0 && ((unsigned char)text.p[max] & 0xC0) == 0x80)
        max--;
    return (struct str){text.p, max};
}
