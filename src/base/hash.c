#include "base/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_key_t idle_context;
static bool has_key;
static const EVP_MD *sha256;

static void free_context(void *context)
{
    EVP_MD_CTX_free(context);
}

static void prepare(void)
{
    has_key = pthread_key_create(&idle_context, free_context) == 0;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
#else
    sha256 = EVP_sha256();
#endif
}

/* An idle context is already set to SHA-256: starting it again skips the look-up. */
static docket_status begin(docket__hash *hash)
{
    pthread_once(&prepared, prepare);
    if (sha256 == NULL) {
        return DOCKET_UNSUPPORTED;
    }
    hash->context = has_key ? pthread_getspecific(idle_context) : NULL;
    if (hash->context != NULL) {
        pthread_setspecific(idle_context, NULL);
        return EVP_DigestInit_ex(hash->context, NULL, NULL) == 1 ? DOCKET_OK : DOCKET_UNSUPPORTED;
    }
    hash->context = EVP_MD_CTX_new();
    if (hash->context == NULL) {
        return DOCKET_NO_MEMORY;
    }
    return EVP_DigestInit_ex(hash->context, sha256, NULL) == 1 ? DOCKET_OK : DOCKET_UNSUPPORTED;
}

void docket__hash_begin(docket__hash *hash)
{
    hash->context = NULL;
    hash->status = begin(hash);
}

void docket__hash_update(docket__hash *hash, const void *data, size_t size)
{
    if (hash->status == DOCKET_OK && size > 0 && EVP_DigestUpdate(hash->context, data, size) != 1) {
        hash->status = DOCKET_UNSUPPORTED;
    }
}

static void put_back(docket__hash *hash)
{
    bool is_usable = hash->status == DOCKET_OK && has_key && pthread_getspecific(idle_context) == NULL;
    if (!is_usable || pthread_setspecific(idle_context, hash->context) != 0) {
        EVP_MD_CTX_free(hash->context);
    }
    hash->context = NULL;
}

docket_status docket__hash_end(docket__hash *hash, uint8_t digest[DOCKET__SHA256_BYTES])
{
    if (hash->status == DOCKET_OK && EVP_DigestFinal_ex(hash->context, digest, NULL) != 1) {
        hash->status = DOCKET_UNSUPPORTED;
    }
    if (hash->status != DOCKET_OK) {
        memset(digest, 0, DOCKET__SHA256_BYTES);
    }
    put_back(hash);
    return hash->status;
}

docket_status docket__sha256(const docket_bytes *parts, size_t count, uint8_t digest[DOCKET__SHA256_BYTES])
{
    docket__hash hash;
    docket__hash_begin(&hash);
    for (size_t i = 0; i < count; i++) {
        docket__hash_update(&hash, parts[i].data, parts[i].size);
    }
    return docket__hash_end(&hash, digest);
}

static uint64_t mix(uint64_t word)
{
    word = (word ^ word >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return word ^ word >> 32;
}

uint64_t docket__hash64(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t hash = size * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t word;
    for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ mix(word)) * UINT64_C(0x9fb21c651e98df25);
    }
    word = 0;
    if (size > 0) {
        memcpy(&word, bytes, size);
    }
    return mix(mix(hash ^ mix(word)));
}

void docket__hex(const uint8_t *bytes, size_t size, char *digits)
{
    static const char alphabet[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *digits++ = alphabet[bytes[i] >> 4];
        *digits++ = alphabet[bytes[i] & 15];
    }
    *digits = '\0';
}
