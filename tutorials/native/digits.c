/* New digits, and how likely each is, in C11 or C++ without Python: LiteRT's C interface on a file that tfvae exported.
 *
 *   LIB=$(python -c 'import ai_edge_litert, os; print(os.path.dirname(ai_edge_litert.__file__))')
 *   cc -std=c11 -O2 digits.c $LIB/libLiteRt.so -Wl,-rpath,$LIB -lm -o digits
 *   ./digits model.tflite SHA256 3 0 0  # file, its SHA-256 as `tfvae export` says it, how many, two words of the seed
 *
 * The few declarations below are those of litert/c/ in https://github.com/google-ai-edge/LiteRT, which the wheel of
 * ai-edge-litert does not hold: with its headers, include litert/c/litert_compiled_model.h, litert_model.h and
 * litert_tensor_buffer.h instead.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
typedef struct LiteRtEnvironmentT *LiteRtEnvironment;
typedef struct LiteRtModelT *LiteRtModel;
typedef struct LiteRtOptionsT *LiteRtOptions;
typedef struct LiteRtSignatureT *LiteRtSignature;
typedef struct LiteRtCompiledModelT *LiteRtCompiledModel;
typedef struct LiteRtTensorT *LiteRtTensor;
typedef struct LiteRtTensorBufferT *LiteRtTensorBuffer;
typedef struct LiteRtTensorBufferRequirementsT *LiteRtTensorBufferRequirements;
typedef struct {
  unsigned int rank : 7, has_strides : 1;
  int32_t dimensions[8];
  uint32_t strides[8];
} LiteRtLayout;
typedef struct {
  int element_type; /* 1 float32, 2 int32 */
  LiteRtLayout layout;
} LiteRtRankedTensorType;

int LiteRtCreateEnvironment(int, const void *, LiteRtEnvironment *);
int LiteRtCreateModelFromFile(LiteRtEnvironment, const char *, LiteRtModel *);
int LiteRtCreateOptions(LiteRtOptions *);
int LiteRtSetOptionsHardwareAccelerators(LiteRtOptions, int);
int LiteRtCreateCompiledModel(LiteRtEnvironment, LiteRtModel, LiteRtOptions, LiteRtCompiledModel *);
int LiteRtGetNumModelSignatures(LiteRtModel, size_t *);
int LiteRtGetModelSignature(LiteRtModel, size_t, LiteRtSignature *);
int LiteRtGetSignatureKey(LiteRtSignature, const char **);
int LiteRtGetNumSignatureInputs(LiteRtSignature, size_t *);
int LiteRtGetNumSignatureOutputs(LiteRtSignature, size_t *);
int LiteRtGetSignatureInputName(LiteRtSignature, size_t, const char **);
int LiteRtGetSignatureOutputName(LiteRtSignature, size_t, const char **);
int LiteRtGetSignatureInputTensorByIndex(LiteRtSignature, size_t, LiteRtTensor *);
int LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature, size_t, LiteRtTensor *);
int LiteRtGetRankedTensorType(LiteRtTensor, LiteRtRankedTensorType *);
int LiteRtCompiledModelResizeInputTensor(LiteRtCompiledModel, size_t, size_t, const int *, size_t);
int LiteRtCreateManagedTensorBuffer(LiteRtEnvironment, int, const LiteRtRankedTensorType *, size_t,
                                    LiteRtTensorBuffer *);
int LiteRtLockTensorBuffer(LiteRtTensorBuffer, void **, int);
int LiteRtUnlockTensorBuffer(LiteRtTensorBuffer);
int LiteRtRunCompiledModel(LiteRtCompiledModel, size_t, size_t, LiteRtTensorBuffer *, size_t, LiteRtTensorBuffer *);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel);
void LiteRtDestroyOptions(LiteRtOptions);
void LiteRtDestroyModel(LiteRtModel);
void LiteRtDestroyEnvironment(LiteRtEnvironment);
#ifdef __cplusplus
}
#endif

enum { READ = 0, WRITE = 1, HOST_MEMORY = 1, CPU = 1, MOST = 4 };

static LiteRtEnvironment environment;
static LiteRtModel model;
static LiteRtCompiledModel compiled;

static void check(int status, const char *expected, const char *received) {
  if (status == 0) return;
  fprintf(stderr, "Expected %s. Received: %s, status %d\n", expected, received, status);
  exit(1);
}

static uint32_t turned(uint32_t x, int places) { return x >> places | x << (32 - places); }

static uint32_t fraction(double x) { return (uint32_t)((x - floor(x)) * 4294967296.0); }

/* SHA-256 of a file, FIPS 180-4: the runtime does not check a file, and one that was cut short ends the process. */
static void sha256(FILE *file, char digest[65]) {
  uint32_t k[64], h[8], w[64];
  for (int n = 2, found = 0; found < 64; n++) {
    int prime = 1;
    for (int d = 2; d * d <= n; d++) prime = prime && n % d != 0;
    if (!prime) continue;
    if (found < 8) h[found] = fraction(sqrt(n));
    k[found++] = fraction(cbrt(n));
  }
  size_t got = 64, before;
  uint64_t bits = 0;
  do {
    unsigned char block[64] = {0};
    before = got;
    got = fread(block, 1, 64, file);
    bits += 8 * (uint64_t)got;
    if (before == 64 && got < 64) block[got] = 0x80;
    for (int i = 0; i < 8 && got < 56; i++) block[56 + i] = (unsigned char)(bits >> (56 - 8 * i));
    memset(w, 0, sizeof w);
    for (int i = 0; i < 64; i++) w[i / 4] |= (uint32_t)block[i] << (24 - i % 4 * 8);
    for (int i = 16; i < 64; i++)
      w[i] = w[i - 16] + w[i - 7] + (turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3) +
             (turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10);
    uint32_t v[8];
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
      const uint32_t a = v[0], e = v[4];
      const uint32_t choice = (e & v[5]) ^ (~e & v[6]), majority = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]);
      const uint32_t first = v[7] + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + choice + k[i] + w[i];
      const uint32_t second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + majority;
      memmove(v + 1, v, 7 * sizeof *v);
      v[4] += first;
      v[0] = first + second;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
  } while (got >= 56);
  for (int i = 0; i < 8; i++) snprintf(digest + 8 * i, 9, "%08x", (unsigned int)h[i]);
}

/* A named tensor of four-byte numbers. */
typedef struct {
  const char *name;
  void *data;
  size_t count;
} Tensor;

static Tensor *named(Tensor *tensors, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
  check(1, "a file with the inputs and outputs of tfvae", name);
  return NULL;
}

/* The tensor's shape for n examples, whose number is free in the file. */
static LiteRtRankedTensorType type_for(LiteRtTensor tensor, int n, size_t *count) {
  LiteRtRankedTensorType type;
  check(LiteRtGetRankedTensorType(tensor, &type), "a tensor with a shape", "none");
  if (type.layout.rank > 0 && type.layout.dimensions[0] < 0) type.layout.dimensions[0] = n;
  *count = 1;
  for (unsigned int i = 0; i < type.layout.rank; i++) *count *= (size_t)type.layout.dimensions[i];
  return type;
}

static LiteRtTensorBuffer buffer_of(const LiteRtRankedTensorType *type, size_t count) {
  LiteRtTensorBuffer buffer;
  check(LiteRtCreateManagedTensorBuffer(environment, HOST_MEMORY, type, 4 * count, &buffer), "enough memory", "less");
  return buffer;
}

static void copy(LiteRtTensorBuffer buffer, void *data, size_t count, int mode) {
  void *memory;
  check(LiteRtLockTensorBuffer(buffer, &memory, mode), "a buffer in memory", "another");
  if (mode == WRITE) memcpy(memory, data, 4 * count);
  else memcpy(data, memory, 4 * count);
  LiteRtUnlockTensorBuffer(buffer);
}

/* Run a signature by its name. The file decides in which order inputs and outputs come; here they have names. */
static void run(const char *key, int n, Tensor *inputs, size_t given, Tensor *outputs, size_t wanted) {
  LiteRtSignature signature = NULL;
  LiteRtTensor tensor;
  LiteRtTensorBuffer in[MOST], out[MOST];
  size_t index, signatures, count;
  const char *name = "";
  check(LiteRtGetNumModelSignatures(model, &signatures), "a model", key);
  for (index = 0; index < signatures; index++) {
    LiteRtGetModelSignature(model, index, &signature);
    LiteRtGetSignatureKey(signature, &name);
    if (strcmp(name, key) == 0) break;
  }
  check(index == signatures, "a file with this signature", key);

  check(LiteRtGetNumSignatureInputs(signature, &count) || count != given, "the inputs of tfvae", key);
  for (size_t i = 0; i < given; i++) {
    LiteRtGetSignatureInputName(signature, i, &name);
    LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor);
    const Tensor *value = named(inputs, given, name);
    LiteRtRankedTensorType type = type_for(tensor, n, &count);
    check(count != value->count, "as many numbers as the input has", name);
    if (type.layout.rank > 1) /* its number of examples is fixed before the run */
      check(LiteRtCompiledModelResizeInputTensor(compiled, index, i, type.layout.dimensions, type.layout.rank),
            "a shape that fits", name);
    in[i] = buffer_of(&type, count);
    copy(in[i], value->data, count, WRITE);
  }
  check(LiteRtGetNumSignatureOutputs(signature, &count) || count != wanted, "the outputs of tfvae", key);
  for (size_t i = 0; i < wanted; i++) {
    LiteRtGetSignatureOutputName(signature, i, &name);
    LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor);
    Tensor *value = named(outputs, wanted, name);
    LiteRtRankedTensorType type = type_for(tensor, n, &value->count);
    value->data = malloc(4 * value->count);
    check(value->data == NULL, "enough memory", name);
    memset(value->data, 0xff, 4 * value->count); /* NaN: what the run does not write shows */
    out[i] = buffer_of(&type, value->count);
    copy(out[i], value->data, value->count, WRITE);
  }
  check(LiteRtRunCompiledModel(compiled, index, given, in, wanted, out), "a run without an error", key);
  for (size_t i = 0; i < wanted; i++) {
    LiteRtGetSignatureOutputName(signature, i, &name);
    Tensor *value = named(outputs, wanted, name);
    copy(out[i], value->data, value->count, READ);
    LiteRtDestroyTensorBuffer(out[i]);
  }
  for (size_t i = 0; i < given; i++) LiteRtDestroyTensorBuffer(in[i]);
}

static void print(const Tensor *value) {
  const float *numbers = (const float *)value->data;
  printf("%s:", value->name);
  for (size_t i = 0; i < value->count; i++) {
    check(isnan(numbers[i]), "numbers from the run", value->name);
    printf(" %.7g", numbers[i]);
  }
  printf("\n");
}

int main(int argc, char **argv) {
  check(argc != 6, "arguments FILE SHA256 N SEED SEED", argc > 1 ? argv[1] : "none");
  const int n = atoi(argv[3]), seed[2] = {atoi(argv[4]), atoi(argv[5])};
  check(n < 1 || n > 10000, "N from 1 to 10000", argv[3]);

  char digest[65];
  FILE *file = fopen(argv[1], "rb");
  check(file == NULL, "a file", argv[1]);
  sha256(file, digest);
  fclose(file);
  check(strcmp(digest, argv[2]), "a file with this SHA-256; fetch it again", digest);

  LiteRtOptions options;
  check(LiteRtCreateEnvironment(0, NULL, &environment), "a runtime", "none");
  check(LiteRtCreateModelFromFile(environment, argv[1], &model), "a TFLite file", argv[1]);
  check(LiteRtCreateOptions(&options), "options", "none");
  check(LiteRtSetOptionsHardwareAccelerators(options, CPU), "a processor", "none");
  check(LiteRtCreateCompiledModel(environment, model, options, &compiled), "a TFLite file that runs", argv[1]);

  /* How many numbers `generate` gives is known only while it runs. This interface then leaves an output in its own
   * memory where the last step only changes a shape, as it does for z: only x is read here. To have both, draw z from
   * the prior and run `decode`. */
  Tensor asked[] = {{"n", (void *)&n, 1}, {"seed", (void *)seed, 2}}, drawn[] = {{"x", NULL, 0}, {"z", NULL, 0}};
  run("generate", n, asked, 2, drawn, 2);
  print(&drawn[0]);

  float *x = (float *)drawn[0].data;
  for (size_t i = 0; i < drawn[0].count; i++) x[i] = roundf(x[i]); /* the likelihood is of bits */
  Tensor scored[] = {drawn[0], asked[1]}, scores[] = {{"elbo", NULL, 0}, {"rate", NULL, 0}, {"distortion", NULL, 0}};
  run("elbo", n, scored, 2, scores, 3);
  for (int i = 0; i < 3; i++) print(&scores[i]);

  for (int i = 0; i < 2; i++) free(drawn[i].data);
  for (int i = 0; i < 3; i++) free(scores[i].data);
  LiteRtDestroyCompiledModel(compiled);
  LiteRtDestroyOptions(options);
  LiteRtDestroyModel(model);
  LiteRtDestroyEnvironment(environment);
  return 0;
}
