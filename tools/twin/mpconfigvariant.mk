# What is left out is on no ESP32, or not used there: btree and ffi want libraries, threads a second stack to collect.
PROG = twin
MICROPY_FORCE_32BIT = 1
MICROPY_PY_BTREE = 0
MICROPY_PY_FFI = 0
MICROPY_PY_THREAD = 0
MICROPY_SSL_AXTLS = 0
MICROPY_SSL_MBEDTLS = 1

$(BUILD)/extmod/modtls_mbedtls.o: CFLAGS += -include $(VARIANT_DIR)/entropy.h
