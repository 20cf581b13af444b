// Images in objects: what is older than the operator works with is brought up to it, and an installer may say of each name which image it is.

import { leastVersion } from './plugin-kinds.ts'
import { isOlder, semanticVersion } from './semantic-version.ts'

/** An image's parts; `tag` and `digest` exclude each other but where a person wrote both. */
interface ImageParts {
  /** With its registry: `registry.example:5000/intel/intel-gpu-plugin`. */
  readonly repository: string
  /** `intel-gpu-plugin` */
  readonly name: string
  readonly tag?: string
  /** With its kind: `sha256:…` */
  readonly digest?: string
}

export function partsOf(image: string): ImageParts {
  const at = image.indexOf('@')
  const before = at < 0 ? image : image.slice(0, at)
  const digest = at < 0 ? {} : { digest: image.slice(at + 1) }
  // A colon before the last slash is that of a registry's port.
  const colon = before.indexOf(':', before.lastIndexOf('/') + 1)
  const repository = colon < 0 ? before : before.slice(0, colon)
  const name = repository.slice(repository.lastIndexOf('/') + 1)
  return { repository, name, ...(colon < 0 ? {} : { tag: before.slice(colon + 1) }), ...digest }
}

const least = semanticVersion(leastVersion)
if (least === undefined) throw new Error(`${leastVersion} is no version`)

/** Whether the tag is a version that the operator works with; undefined where it is no version. */
export function isRecent(tag: string): boolean | undefined {
  const version = semanticVersion(tag)
  return version === undefined || least === undefined ? undefined : !isOlder(version, least)
}

/**
 * The image that is to stand in the object in place of `image`. `overrides` says by name which image it is, whatever the object says, as upstream's
 * environment does (`INTEL_GPU_PLUGIN_SHA`); an image without tag and digest is left to admission.
 */
export function upgradedImage(image: string, overrides: Readonly<Record<string, string>>): string {
  const { repository, name, tag, digest } = partsOf(image)
  if (repository === '' || (tag === undefined && digest === undefined)) return image
  const override = Object.hasOwn(overrides, name) ? overrides[name] : undefined
  if (override !== undefined) return override
  return digest === undefined && tag !== undefined && isRecent(tag) === false ? `${repository}:${leastVersion}` : image
}

/** The variables of upstream's operator as overrides: `INTEL_GPU_PLUGIN_SHA` is of `intel-gpu-plugin`. */
export function overridesIn(environment: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const found = Object.entries(environment).flatMap(([variable, image]) => {
    const [, name] = /^(INTEL_[A-Z0-9_]+)_SHA$/.exec(variable) ?? []
    return name === undefined || image === undefined || image === ''
      ? []
      : [[name.toLowerCase().replaceAll('_', '-'), image] as const]
  })
  return Object.fromEntries(found)
}
