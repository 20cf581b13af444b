// What two servers never share, and how the one's stands for the other's: UIDs, versions, generated names, addresses, tokens. A value
// of the real server always stands for the same value of the twin; versions keep their order.
import { type Exchange, exchangedFrame } from './fidelity-protobuf.ts'

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const isUuid = new RegExp(`^${uuid.source}$`)
const age = /^(\d+[smhdy])+$/
const address = /^(\d{1,3}\.){3}\d{1,3}$/
const token = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/
const certificate = /^-----BEGIN CERTIFICATE-----/
const tokenVolume = /^kube-api-access-[a-z0-9]{5}$/
const addressFields = new Set(['clusterIP', 'clusterIPs', 'ip', 'podIP', 'hostIP'])

export class Identities {
  /** UIDs, generated names, addresses, tokens and continue tokens: real to twin. */
  readonly #words = new Map<string, string>()
  readonly #versions = new Map<number, number>()
  readonly #versionsOfObjects = new Map<string, Map<string, string>>()
  #pattern: RegExp | undefined

  /** A text of the real server with everything known put in the twin's words. */
  translated(text: string): string {
    this.#pattern ??= patternOf(this.#words.keys())
    return this.#pattern === undefined ? text : text.replace(this.#pattern, word => this.#words.get(word) ?? word)
  }

  /** True where the two leaves say the same, which from now on holds for the identities in them. */
  isSame(real: unknown, twin: unknown, name: string): boolean {
    if (real === twin) return true
    // How long ago something was.
    if (name === 'cells' && age.test(String(real)) && age.test(String(twin))) return true
    if (name === 'nodePort') return typeof real === typeof twin
    if (typeof real !== 'string' || typeof twin !== 'string') return false
    if (name === 'resourceVersion') return this.#isSameVersion(real, twin)
    if (time.test(real) && time.test(twin)) return real.includes('.') === twin.includes('.')
    if (
      (isUuid.test(real) && isUuid.test(twin)) ||
      (token.test(real) && token.test(twin)) ||
      (certificate.test(real) && certificate.test(twin)) ||
      (tokenVolume.test(real) && tokenVolume.test(twin)) ||
      (name === 'continue' && real !== '' && twin !== '') ||
      (addressFields.has(name) && address.test(real) && address.test(twin))
    )
      return this.stands(real, twin)
    const words = this.translated(real)
    return words === twin || withoutIdentities(words) === withoutIdentities(twin)
  }

  /** Has `real` stand for `twin`; false where it stands for something else already. */
  stands(real: string, twin: string): boolean {
    const known = this.#words.get(real)
    if (known !== undefined) return known === twin
    this.#words.set(real, twin)
    this.#pattern = undefined
    return true
  }

  /** False where one of the two servers saw an object change and the other did not. */
  isSameState(uid: string, real: string, twin: string): boolean {
    const versions = this.#versionsOfObjects.get(uid) ?? new Map<string, string>()
    this.#versionsOfObjects.set(uid, versions)
    const known = versions.get(real)
    if (known !== undefined) return known === twin
    const isTaken = [...versions.values()].includes(twin)
    versions.set(real, twin)
    return !isTaken
  }

  #isSameVersion(real: string, twin: string): boolean {
    const [before, after] = [Number(real), Number(twin)]
    if (!Number.isSafeInteger(before) || !Number.isSafeInteger(after) || real === '' || twin === '') return false
    const known = this.#versions.get(before)
    if (known === undefined) this.#versions.set(before, after)
    return known === undefined || known === after
  }

  /** The twin's version at the time of the real one; as it is where none is known. */
  version(real: string): string {
    const wanted = Number(real)
    if (real === '' || real === '0' || !Number.isSafeInteger(wanted)) return real
    const known = this.#versions.get(wanted)
    if (known !== undefined) return String(known)
    const below = [...this.#versions].filter(([version]) => version <= wanted).map(([, version]) => version)
    return below.length === 0 ? real : String(Math.max(...below))
  }

  /** A JSON body with the twin's identities in it. */
  translatedBody(text: string): string {
    // The last is an operation of a JSON patch.
    const versions = /("resourceVersion":\s*"|"path":"\/metadata\/resourceVersion","value":")(\d+)"/g
    return this.translated(text).replace(versions, (_, head: string, version: string) => `${head}${this.version(version)}"`)
  }

  translatedFrame(bytes: Uint8Array): Uint8Array {
    // ObjectMeta (1) has its resourceVersion at 6, the preconditions (2) of DeleteOptions have it at 2.
    const versionAt = Buffer.from(bytes).includes('DeleteOptions') ? '2.2' : '1.6'
    const exchange: Exchange = (text, path) => {
      const word = this.#words.get(text)
      if (word !== undefined) return word
      // FieldsV1 is JSON with UIDs in its names.
      if (text.startsWith('{')) return this.translated(text)
      return path.join('.') === versionAt && /^\d+$/.test(text) ? this.version(text) : text
    }
    return exchangedFrame(bytes, exchange)
  }

  translatedQuery(query: string): URLSearchParams {
    const translated = new URLSearchParams()
    for (const [name, value] of new URLSearchParams(query)) {
      translated.append(name, name === 'resourceVersion' ? this.version(value) : this.translated(value))
    }
    return translated
  }
}

/** Versions in words, and UIDs that nobody was told before. */
function withoutIdentities(text: string): string {
  return text.replaceAll(uuid, 'UID').replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
}

function patternOf(words: Iterable<string>): RegExp | undefined {
  const escaped = [...words].toSorted((left, right) => right.length - left.length).map(word => word.replaceAll(/[^\w]/g, '\\$&'))
  return escaped.length === 0 ? undefined : new RegExp(escaped.join('|'), 'g')
}
