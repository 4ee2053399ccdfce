// New digits, and how likely each is, on iOS: not compiled and not run here, where there is no Swift for it.
// CocoaPods: pod "TensorFlowLiteSwift"; add model.tflite to the target.

import Foundation
import TensorFlowLite

final class Digits {
  private let interpreter: Interpreter

  init() throws {
    guard let path = Bundle.main.path(forResource: "model", ofType: "tflite") else {
      throw CocoaError(.fileNoSuchFile)
    }
    interpreter = try Interpreter(modelPath: path)
  }

  /// Means of p(x | z) at n draws of z, one after another: the same for the same seed, up to rounding.
  func generate(n: Int32, seed: [Int32]) throws -> (x: [Float32], z: [Float32]) {
    precondition(n >= 1 && seed.count == 2, "Expected n of at least 1 and a seed of two words")
    let outputs = try run("generate", inputs: ["n": data([n]), "seed": data(seed)], outputs: ["x", "z"])
    return (outputs["x"]!, outputs["z"]!)
  }

  /// Lower bounds on log p(x), in nats, one an image; x holds what the likelihood has: here bits.
  func elbo(x: [Float32], shape: [Int], seed: [Int32]) throws -> [Float32] {
    precondition(x.count == shape.reduce(1, *) && seed.count == 2, "Expected as many numbers as the shape has")
    let outputs = try run(
      "elbo", inputs: ["x": data(x), "seed": data(seed)], shapes: ["x": shape],
      outputs: ["elbo", "rate", "distortion"])
    return outputs["elbo"]!
  }

  private func run(
    _ signature: String, inputs: [String: Data], shapes: [String: [Int]] = [:], outputs: [String]
  ) throws -> [String: [Float32]] {
    let runner = try interpreter.signatureRunner(with: signature)
    for (name, shape) in shapes {
      try runner.resizeInput(named: name, toShape: Tensor.Shape(shape))  // the number of images is free
    }
    try runner.invoke(with: inputs)
    var values: [String: [Float32]] = [:]
    for name in outputs {
      values[name] = try runner.output(named: name).data.withUnsafeBytes { Array($0.bindMemory(to: Float32.self)) }
    }
    return values
  }

  private func data<Number>(_ values: [Number]) -> Data { values.withUnsafeBufferPointer { Data(buffer: $0) } }
}
