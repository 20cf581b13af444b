// Noise of usage: an Ornstein-Uhlenbeck process with a time constant of a minute, as a function of time alone. Whoever asks, and how
// often, the value of a moment is the same.
import { seededRandom } from '#kube/random.ts'

const timeConstantMs = 60_000
/** Values hold for so long: the window that metrics are served with. */
const stepMs = 15_000
/** Older shocks have decayed to less than a hundredth. */
const rememberedSteps = 20
const decay = Math.exp(-stepMs / timeConstantMs)
/** So that the sum over the remembered shocks has standard deviation 1. */
const scale = Math.sqrt((1 - decay ** 2) / (1 - decay ** (2 * rememberedSteps)))
const weights = Array.from({ length: rememberedSteps }, (_, age) => decay ** age)
/** Draws have 32 bits: no shock is larger. */
const largestShock = Math.sqrt(-2 * Math.log(2 ** -32))
/** No noise is larger. */
export const noiseCeiling = scale * largestShock * weights.reduce((sum, weight) => sum + weight, 0)

/** So many containers' shocks are kept. */
const keptSeeds = 20_000

/** The last shocks of a container: each is drawn from its seed and step alone, so that it is all the same who asks for it when. */
class Shocks {
  readonly #steps = new Float64Array(rememberedSteps).fill(Number.NaN)
  readonly #values = new Float64Array(rememberedSteps)
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
  }

  at(step: number): number {
    const slot = ((step % rememberedSteps) + rememberedSteps) % rememberedSteps
    if (this.#steps[slot] !== step) {
      this.#steps[slot] = step
      this.#values[slot] = shock(this.#seed, step)
    }
    return this.#values[slot] ?? 0
  }
}

const kept = new Map<number, Shocks>()

function shocksOf(seed: number): Shocks {
  let shocks = kept.get(seed)
  if (shocks === undefined) {
    if (kept.size >= keptSeeds) kept.clear()
    shocks = new Shocks(seed)
    kept.set(seed, shocks)
  }
  return shocks
}

/** A draw of mean 0 and standard deviation 1; values of near moments are alike. `seed` tells containers apart. */
export function wanderingNoise(seed: number, nowMs: number): number {
  const step = Math.floor(nowMs / stepMs)
  const shocks = shocksOf(seed)
  let sum = 0
  for (let age = 0; age < rememberedSteps; age++) sum += (weights[age] ?? 0) * shocks.at(step - age)
  return scale * sum
}

function shock(seed: number, step: number): number {
  const random = seededRandom(Math.imul(seed ^ 0x27d4eb2f, 0x9e3779b1) ^ Math.imul(step, 0x85ebca6b))
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** FNV-1a of a text: what seeds a container's noise. */
export function textSeed(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}
