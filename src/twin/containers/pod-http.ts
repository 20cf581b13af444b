// What a port of a container answers to HTTP: what its pod (template) says, else who it is and what it was asked.
import { parse } from 'yaml'
import { z } from 'zod'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { itemsAt, numberAt, textAt } from '../json-value.ts'
import { specOf, statusOf } from './asked-container.ts'

/** On a pod (template): what its ports answer, a list of rules. */
export const httpAnnotation = 'ballast.dev/twin-http'
/** What is more of an annotation is told by an answer. */
const mostRules = 100

const ruleShape = z.strictObject({
  container: z.string().exactOptional(),
  port: z.int().min(1).max(65_535).exactOptional(),
  method: z.string().exactOptional(),
  path: z.string().startsWith('/').exactOptional(),
  status: z.int().min(200).max(599).exactOptional(),
  headers: z.record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), z.string().regex(/^[\t\x20-\x7e]*$/)).exactOptional(),
  body: z.string().exactOptional(),
})
const rulesShape = z.array(ruleShape).max(mostRules)

type Rule = z.infer<typeof ruleShape>

/** A container's port at which something answers. */
export interface PodPort {
  readonly pod: KubeObject
  readonly container: string
  readonly port: number
}

interface PodAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface PodQuestion {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Who answers at `port` of the pod: the container that declares it, or that a rule names, and that runs. */
export function podPort(pod: KubeObject, port: number): PodPort | undefined {
  const inits = itemsAt(pod, 'spec', 'initContainers').filter(one => textAt(one, 'restartPolicy') === 'Always')
  const all = [...itemsAt(pod, 'spec', 'containers'), ...inits]
  const declares = all.find(one =>
    itemsAt(one, 'ports').some(
      declared => numberAt(declared, 'containerPort') === port && (textAt(declared, 'protocol') ?? 'TCP') === 'TCP',
    ),
  )
  const read = rulesOf(pod)
  const rule = 'rules' in read ? read.rules.find(one => one.port === port) : undefined
  const container = declares === undefined ? rule && (rule.container ?? textAt(all[0], 'name')) : textAt(declares, 'name')
  if (container === undefined || specOf(pod, container) === undefined) return undefined
  const isRunning = textAt(statusOf(pod, container), 'state', 'running', 'startedAt') !== undefined
  return isRunning ? { pod, container, port } : undefined
}

/** The answer to one request. A wrong annotation is told by a 500. */
export function podAnswer({ pod, container, port }: PodPort, question: PodQuestion): PodAnswer {
  const read = rulesOf(pod)
  if ('fault' in read) return { status: 500, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${read.fault}\n` }
  const path = question.path.replace(/[?#].*$/s, '')
  const rule = read.rules.find(
    one =>
      (one.container ?? container) === container &&
      (one.port ?? port) === port &&
      (one.method ?? question.method).toUpperCase() === question.method &&
      matches(one.path, path),
  )
  if (rule !== undefined) {
    const { status = 200, headers = {}, body = '' } = rule
    const names = Object.keys(headers).map(name => name.toLowerCase())
    const type = names.includes('content-type') || body === '' ? {} : { 'content-type': 'text/plain; charset=utf-8' }
    return { status, headers: { ...type, ...headers }, body }
  }
  const said = {
    pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
    container,
    port,
    node: textAt(pod, 'spec', 'nodeName'),
    image: textAt(specOf(pod, container), 'image'),
    method: question.method,
    path: question.path,
    headers: question.headers,
    says: 'this is a pod of the twin: there is no program in it',
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: `${JSON.stringify(said, undefined, 2)}\n`,
  }
}

/** A path that ends with `*` stands for all that begin so. */
function matches(wanted: string | undefined, path: string): boolean {
  if (wanted === undefined) return true
  return wanted.endsWith('*') ? path.startsWith(wanted.slice(0, -1)) : path === wanted
}

function rulesOf(pod: KubeObject): { readonly rules: readonly Rule[] } | { readonly fault: string } {
  const text = pod.metadata.annotations?.[httpAnnotation]
  if (text === undefined) return { rules: [] }
  let told: unknown
  try {
    told = parse(text, { maxAliasCount: 0 })
  } catch (error) {
    return { fault: `${httpAnnotation}: ${messageOf(error)}` }
  }
  const read = rulesShape.safeParse(told)
  if (read.success) return { rules: read.data }
  const [issue] = read.error.issues
  const [at, ...field] = issue?.path ?? []
  const where = typeof at === 'number' ? [`rule ${at + 1}`, ...(field.length === 0 ? [] : [field.join('.')])] : []
  return {
    fault: `${[httpAnnotation, ...where].join(': ')}: ${issue?.message ?? ''}; a list of {container, port, method, path, status, headers, body} would be right`,
  }
}
