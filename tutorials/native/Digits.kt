// New digits, and how likely each is, on Android: not compiled and not run here, where there is no Android.
// Gradle: implementation("com.google.ai.edge.litert:litert:1.4.0"), and model.tflite in src/main/assets with
// androidResources { noCompress += "tflite" }.

import android.content.Context
import java.io.FileInputStream
import java.nio.MappedByteBuffer
import java.nio.channels.FileChannel
import kotlin.math.round
import org.tensorflow.lite.Interpreter

typealias Images = Array<Array<Array<FloatArray>>>  // [B, height, width, channels]

class Digits(context: Context, private val height: Int = 28, private val width: Int = 28, private val latents: Int = 40) :
    AutoCloseable {
    private val interpreter = Interpreter(map(context, "model.tflite"))

    private fun images(n: Int): Images = Array(n) { Array(height) { Array(width) { FloatArray(1) } } }

    /** Means of p(x | z) at n draws of z: the same for the same seed on every device, up to rounding. */
    fun generate(n: Int, seed: IntArray): Images {
        require(n >= 1 && seed.size == 2) { "Expected n of at least 1 and a seed of two words. Received: n=$n" }
        val x = images(n)
        val z = Array(n) { FloatArray(latents) }
        interpreter.runSignature(mapOf("n" to n, "seed" to seed), mapOf("x" to x, "z" to z), "generate")
        return x
    }

    /** Lower bounds on log p(x), in nats, one an image; x holds what the likelihood has: here bits. */
    fun elbo(x: Images, seed: IntArray): FloatArray {
        require(seed.size == 2) { "Expected a seed of two words. Received: ${seed.size}" }
        val elbo = FloatArray(x.size)
        val outputs = mapOf("elbo" to elbo, "rate" to FloatArray(x.size), "distortion" to FloatArray(x.size))
        interpreter.runSignature(mapOf("x" to x, "seed" to seed), outputs, "elbo")
        return elbo
    }

    override fun close() = interpreter.close()

    private fun map(context: Context, name: String): MappedByteBuffer =
        context.assets.openFd(name).use { file ->
            FileInputStream(file.fileDescriptor).use {
                it.channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        }
}

fun bits(x: Images): Images = Array(x.size) { b ->
    Array(x[b].size) { i -> Array(x[b][i].size) { j -> FloatArray(x[b][i][j].size) { k -> round(x[b][i][j][k]) } } }
}
