/* New digits, and how likely each is, in C11 without Python: LiteRT's C interface on a file that tfvae exported.
 *
 *   LIB=$(python -c 'import ai_edge_litert, os; print(os.path.dirname(ai_edge_litert.__file__))')
 *   cc -std=c11 -O2 digits.c $LIB/libLiteRt.so -Wl,-rpath,$LIB -lm -o digits
 *   ./digits model.tflite 3 0 0        # file, how many, two words of the seed
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


enum { READ = 0, WRITE = 1, HOST_MEMORY = 1, CPU = 1, MOST = 4 };

static LiteRtEnvironment environment;
static LiteRtModel model;
static LiteRtCompiledModel compiled;

static void check(int status, const char *expected, const char *received) {
  if (status == 0) return;
  fprintf(stderr, "Expected %s. Received: %s, status %d\n", expected, received, status);
  exit(1);
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
  const float *numbers = value->data;
  printf("%s:", value->name);
  for (size_t i = 0; i < value->count; i++) {
    check(isnan(numbers[i]), "numbers from the run", value->name);
    printf(" %.7g", numbers[i]);
  }
  printf("\n");
}

int main(int argc, char **argv) {
  check(argc != 5, "arguments FILE N SEED SEED", argc > 1 ? argv[1] : "none");
  const int n = atoi(argv[2]), seed[2] = {atoi(argv[3]), atoi(argv[4])};
  check(n < 1 || n > 10000, "N from 1 to 10000", argv[2]);

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

  float *x = drawn[0].data;
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
