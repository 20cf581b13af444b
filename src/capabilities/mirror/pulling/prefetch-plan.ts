// Which images are wanted on which nodes beforehand: what Namespaces and Deployments say by annotation, and the nodes where their pods could
// run. Pure.
import { couldRun, takesPods } from '#cluster/scheduling/could-run.ts'
import type { Deployment, KubeObject, Node } from '#kube/objects/objects.ts'
import { addressOf } from '../peer-list.ts'
import { mostPrefetched } from '../prefetch.ts'
import { parseImageName } from '../reference.ts'

/** On a Namespace (for all nodes that take pods) or a Deployment (for those where its pods could run): images, by comma. */
const prefetchAnnotation = 'ballast.dev/prefetch'

/** The whole name of an image as containerd has it: `nginx` is `docker.io/library/nginx:latest`. `undefined` where it is none. */
export function wholeImageName(text: string): string | undefined {
  const [first = ''] = text.split('/')
  const isHost = text.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost')
  const placed = isHost ? text : `docker.io/${text.includes('/') ? '' : 'library/'}${text}`
  const rest = placed.slice(placed.lastIndexOf('/'))
  const whole = rest.includes(':') || rest.includes('@') ? placed : `${placed}:latest`
  return parseImageName(whole) === undefined ? undefined : whole
}

/** Images of an annotation, and what of it is none; beyond 64 they are left out. */
export function prefetchImages(annotation: string): { readonly images: readonly string[]; readonly wrong: readonly string[] } {
  const texts = annotation
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
  const read = texts.map(text => ({ text, image: wholeImageName(text) }))
  const images = [...new Set(read.flatMap(({ image }) => (image === undefined ? [] : [image])))]
  return {
    images: images.slice(0, mostPrefetched),
    wrong: [...read.filter(({ image }) => image === undefined).map(({ text }) => text), ...images.slice(mostPrefetched)],
  }
}

/** One object that asks, with what becomes of it. */
export interface PrefetchSubject {
  readonly object: KubeObject
  readonly images: readonly string[]
  /** Nodes that lack one of them at least. */
  readonly nodes: readonly string[]
  /** Why there is less to do than one might think. */
  readonly reasons: readonly string[]
}

interface PrefetchInput {
  readonly nodes: readonly Node[]
  readonly namespaces: readonly KubeObject[]
  readonly deployments: readonly Deployment[]
}

/** Every object that asks, and what each node is to pull, in the order of names. */
export function prefetchPlan({ nodes, namespaces, deployments }: PrefetchInput): {
  readonly subjects: readonly PrefetchSubject[]
  readonly wanted: ReadonlyMap<string, readonly string[]>
} {
  const usable = nodes.filter(node => addressOf(node) !== undefined && takesPods(node))
  const subjects = [
    ...namespaces.flatMap(object => subjectOf(object, usable)),
    ...deployments.flatMap(object => subjectOf(object, usable.filter(couldRun(object.spec.template)))),
  ]
  const wanted = new Map<string, Set<string>>()
  for (const { images, nodes: names } of subjects)
    for (const name of names) {
      const node = nodes.find(one => one.metadata.name === name)
      const missing = images.filter(image => node !== undefined && !has(node, image))
      wanted.set(name, new Set([...(wanted.get(name) ?? []), ...missing]))
    }
  const inOrder = [...wanted].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { subjects, wanted: new Map(inOrder.map(([name, images]) => [name, [...images].toSorted()])) }
}

function subjectOf(object: KubeObject, nodes: readonly Node[]): readonly PrefetchSubject[] {
  const text = object.metadata.annotations?.[prefetchAnnotation]
  if (text === undefined) return []
  const { images, wrong } = prefetchImages(text)
  const lacking = nodes.filter(node => images.some(image => !has(node, image)))
  const reasons = [
    ...wrong.map(image => `${JSON.stringify(image)} is no image, or one too many`),
    ...(nodes.length === 0 ? ['no node takes its pods'] : []),
  ]
  return [{ object, images, nodes: lacking.map(({ metadata }) => metadata.name).toSorted(), reasons }]
}

/** Whether the node says that it has it. It names some of its images only, so a no means little. */
function has({ status }: Node, image: string): boolean {
  return (status?.images ?? []).some(({ names = [] }) => names.includes(image))
}
