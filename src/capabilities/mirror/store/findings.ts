// Findings in containerd's own configuration that keep a mirror from working, and the words for them.
import type { StoreHealth } from '../contract.ts'
import { isObject } from './fingerprint.ts'

export type Finding = StoreHealth['problems'][number]

/** What could be learnt; `undefined` where containerd does not tell (2.x tells neither setting). */
export interface Observed {
  readonly version: string
  readonly discardsLayers: boolean | undefined
  readonly configPath: string | undefined
  /** Mirrored images, and those of them whose layers are not in the store. */
  readonly images: number
  readonly imagesWithoutLayers: readonly string[]
}

const oldestMinor = 5

/** Settings in the CRI's answer about itself: JSON under `config`. Both `undefined` where it says nothing. */
export function criSettings(config: string | undefined): Pick<Observed, 'discardsLayers' | 'configPath'> {
  const unknown = { discardsLayers: undefined, configPath: undefined }
  if (config === undefined) return unknown
  let parsed: unknown
  try {
    parsed = JSON.parse(config)
  } catch (error) {
    if (error instanceof SyntaxError) return unknown
    throw error
  }
  if (!isObject(parsed)) return unknown
  const { containerd, registry } = parsed
  const discards = isObject(containerd) ? containerd.discardUnpackedLayers : undefined
  const path = isObject(registry) ? registry.configPath : undefined
  return {
    discardsLayers: typeof discards === 'boolean' ? discards : undefined,
    configPath: typeof path === 'string' ? path : undefined,
  }
}

/** All that is wrong, most serious first; `registryConfigPath` is where our hosts files are. */
export function findings(observed: Observed, registryConfigPath: string): readonly Finding[] {
  const found: Finding[] = []
  const { version, discardsLayers, configPath, images, imagesWithoutLayers } = observed
  if (isTooOld(version)) {
    found.push({
      reason: 'ConfigurationMissing',
      message: `containerd ${version} knows no hosts files: 1.5 is the first that does`,
    })
  }
  if (discardsLayers === true) {
    found.push({
      reason: 'LayersDiscarded',
      message: 'containerd has discard_unpacked_layers = true: set it to false, or no layer that this node pulls can be served',
    })
  } else if (discardsLayers === undefined && imagesWithoutLayers.length > 0 && imagesWithoutLayers.length * 2 >= images) {
    // Images from before the setting was changed lack theirs for ever; while most have them it is right now.
    const [example] = imagesWithoutLayers
    found.push({
      reason: 'LayersDiscarded',
      message: `layers of ${imagesWithoutLayers.length} of ${images} images are not in containerd's store, such as ${example}: set discard_unpacked_layers = false`,
    })
  }
  if (configPath === '') {
    found.push({
      reason: 'ConfigurationMissing',
      message: `containerd's config_path for registries is not set: set it to ${JSON.stringify(registryConfigPath)}`,
    })
  } else if (configPath !== undefined && !configPath.split(':').includes(registryConfigPath)) {
    found.push({
      reason: 'ConfigurationMissing',
      message: `containerd reads hosts files in ${configPath}, ours are in ${registryConfigPath}`,
    })
  }
  return found
}

function isTooOld(version: string): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? []
  return major !== undefined && (Number(major) < 1 || (Number(major) === 1 && Number(minor) < oldestMinor))
}
