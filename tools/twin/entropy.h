// Read in before modtls_mbedtls.c: keeps mbedTLS's entropy pool, 37 KB as Debian 12 builds it, out of the Python heap.
// On an ESP32 it is a small part of an SSLContext. Nothing else of the module is touched.

#include <stdlib.h>
#include "mbedtls/entropy.h"

typedef struct {
    mbedtls_entropy_context *pool;
} twin_entropy_context;

static void twin_entropy_init(twin_entropy_context *entropy) {
    entropy->pool = malloc(sizeof(*entropy->pool));
    if (!entropy->pool) {
        abort();
    }
    mbedtls_entropy_init(entropy->pool);
}

static void twin_entropy_free(twin_entropy_context *entropy) {
    if (entropy->pool) {
        mbedtls_entropy_free(entropy->pool);
        free(entropy->pool);
        entropy->pool = NULL;
    }
}

static int twin_entropy_func(void *entropy, unsigned char *output, size_t length) {
    return mbedtls_entropy_func(((twin_entropy_context *)entropy)->pool, output, length);
}

#define mbedtls_entropy_context twin_entropy_context
#define mbedtls_entropy_init twin_entropy_init
#define mbedtls_entropy_free twin_entropy_free
#define mbedtls_entropy_func twin_entropy_func
