// Image mirrors as simulated kubelets see them: a pod that serves one on its node, the nodes that have an image to give, and from
// where a pull therefore comes. Which registries a mirror is asked for is read from what its container is started with.
import type { Container, Pod } from '#kube/objects/objects.ts'
import { isReady } from '../workloads/pod-state.ts'

/** Where the bytes of a pull come from: the registry outside, a node that has them, or a node that is downloading them itself. */
export type PullSource = 'outside' | 'peer' | 'relay'

export interface ImageMirror {
  /** Hosts of the registries it is asked for; `undefined`: all. */
  readonly registries: ReadonlySet<string> | undefined
  /** Whether it shares what its own node is still downloading. */
  readonly relays: boolean
}

/** The registry of an image's name as containerd reads it: `docker.io` where the name has none. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/')
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io'
}

/** The mirror that the pod serves to its node; `undefined` where it serves none, or not yet. */
export function mirrorOf(pod: Pod): ImageMirror | undefined {
  if (!isReady(pod)) return undefined
  return mirrorAmong(pod.spec.containers)
}

/** The mirror that one of the containers is, of a pod or of a template. */
export function mirrorAmong(containers: readonly Container[]): ImageMirror | undefined {
  for (const container of containers) {
    const mirror = mirrorIn(container)
    if (mirror !== undefined) return mirror
  }
  return undefined
}

/** Spegel by its image or its subcommand's name, Ballast by the role. */
function mirrorIn(container: Container): ImageMirror | undefined {
  const words = wordsIn(container)
  const isOurs = startsRole(container, 'mirror')
  const isSpegel = /(^|\/)spegel(?=[:@]|$)/.test(container.image ?? '') && words.includes('registry')
  return isOurs || isSpegel ? { registries: registriesIn(words), relays: isOurs } : undefined
}

/** Whether the container is Ballast's agent of that role. */
export function startsRole(container: Container, role: string): boolean {
  return wordsIn(container).some((word, at, words) => word === `--role=${role}` || (word === '--role' && words[at + 1] === role))
}

function wordsIn(container: Container): readonly string[] {
  return [...wordsOf(container['command']), ...wordsOf(container['args'])]
}

function wordsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(word => typeof word === 'string') : []
}

function registriesIn(words: readonly string[]): ReadonlySet<string> | undefined {
  const flag = '--mirrored-registries'
  const at = words.findIndex(word => word === flag || word.startsWith(`${flag}=`))
  if (at < 0) return undefined
  const following = words.slice(at + 1)
  const end = following.findIndex(word => word.startsWith('--'))
  const named = [...(words[at] ?? '').split('=').slice(1), ...(end < 0 ? following : following.slice(0, end))]
  const hosts = named.filter(text => text !== '').map(text => URL.parse(text)?.host ?? text)
  return hosts.length === 0 || hosts.some(host => host === '_default' || host === '*') ? undefined : new Set(hosts)
}

/** What is known of the other nodes of a cluster when one of them pulls. */
export interface OtherNode {
  readonly mirror: ImageMirror | undefined
  readonly hasImage: boolean
  readonly isPulling: boolean
}

/** Whether the mirror is asked for the image before its registry is. */
export function mirrorsImage(mirror: ImageMirror | undefined, image: string): boolean {
  return mirror !== undefined && mirror.registries?.has(registryOf(image)) !== false
}

/** From where a node with `mirror` gets the image. */
export function pullSource(image: string, mirror: ImageMirror | undefined, others: Iterable<OtherNode>): PullSource {
  if (mirror === undefined || !mirrorsImage(mirror, image)) return 'outside'
  let isInFlight = false
  for (const other of others) {
    if (other.mirror === undefined) continue
    if (other.hasImage) return 'peer'
    isInFlight ||= other.isPulling && other.mirror.relays
  }
  return isInFlight && mirror.relays ? 'relay' : 'outside'
}
