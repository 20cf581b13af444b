// The pod template of an upstream's program with ours in its place: pure. What upstream is told stays, and what ours needs besides is added.
import { listAt, numberAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { compareQuantities, parseQuantity } from '#kube/values/quantity.ts'
import { isOurs } from '#upstreams/own-program.ts'
import type { InPlaceProgram } from '#upstreams/upstream.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'

/** What pods of ours are made of, by a Deployment of ours that runs or would be installed. */
export interface OwnPods {
  readonly image: string
  readonly pullPolicy: string | undefined
  readonly pullSecrets: readonly unknown[]
  readonly runAsUser: number | undefined
  /** Memory that a process of ours asks for and is bounded by. */
  readonly memory: { readonly request: string | undefined; readonly limit: string | undefined }
}

export function ownPodsOf(deployment: KubeObject): OwnPods {
  const pod = valueAt(templateOf(deployment), ['spec'])
  const [container] = listAt(pod, 'containers')
  return {
    image: textAt(container, 'image') ?? '',
    pullPolicy: textAt(container, 'imagePullPolicy'),
    pullSecrets: listAt(pod, 'imagePullSecrets'),
    runAsUser: numberAt(container, 'securityContext', 'runAsUser') ?? numberAt(pod, 'securityContext', 'runAsUser'),
    memory: {
      request: textAt(container, 'resources', 'requests', 'memory'),
      limit: textAt(container, 'resources', 'limits', 'memory'),
    },
  }
}

const graceVariable = 'BALLAST_TERMINATION_GRACE_SECONDS'
const scratch = 'ballast-tmp'

/** The container of upstream's program, or of ours in its place. */
export function programContainer(workload: KubeObject, program: InPlaceProgram): ValuesTree | undefined {
  const containers = listAt(templateOf(workload), 'spec', 'containers').filter(isTree)
  return containers.find(one => isOurs(one, program)) ?? upstreamContainer(workload, program.image)
}

/** What upstream's program is told, or ours in its place: its words, without a program's name. */
export function wordsOf(container: unknown, program: InPlaceProgram): readonly string[] {
  const args = listAt(container, 'args').map(String)
  return isOurs(container, program) ? args.slice(1) : [...listAt(container, 'command').slice(1).map(String), ...args]
}

/** Its variables as far as the template says them; `unseen`: those that come from elsewhere. */
export function environmentOf(
  container: unknown,
  { namespace = 'default' }: KubeObject['metadata'],
): { readonly seen: Readonly<Record<string, string>>; readonly unseen: readonly string[] } {
  const seen: Record<string, string> = {}
  const unseen: string[] = []
  for (const one of listAt(container, 'env')) {
    const name = textAt(one, 'name') ?? ''
    const field = textAt(one, 'valueFrom', 'fieldRef', 'fieldPath')
    if (field === 'metadata.namespace') seen[name] = namespace
    else if (valueAt(one, ['valueFrom']) !== undefined) unseen.push(name)
    else seen[name] = textAt(one, 'value') ?? ''
  }
  for (const from of listAt(container, 'envFrom'))
    unseen.push(`all of ${textAt(from, 'configMapRef', 'name') ?? textAt(from, 'secretRef', 'name') ?? 'another object'}`)
  return { seen, unseen }
}

/** The template with ours in the place of upstream's program. @throws Error where the workload has no such container */
export function templateWithOurs(workload: KubeObject, program: InPlaceProgram, own: OwnPods): ValuesTree {
  const template: ValuesTree = Object(templateOf(workload))
  const pod: ValuesTree = Object(template['spec'])
  const found = programContainer(workload, program)
  if (found === undefined) throw new Error(`no container of ${program.image}`)
  const containers = listAt(pod, 'containers')
  // Where an earlier version of ours runs, nothing else is to change.
  if (isOurs(found, program))
    return {
      ...template,
      spec: { ...pod, containers: containers.map(one => (one === found ? { ...found, image: own.image } : one)) },
    }
  const { command: _entry, ...rest } = found
  const mounts = listAt(found, 'volumeMounts').filter(isTree)
  const hasTmp = mounts.some(({ mountPath }) => /^\/tmp\/*$/.test(String(mountPath)))
  const env = listAt(found, 'env').filter(isTree)
  const grace = numberAt(pod, 'terminationGracePeriodSeconds')
  const isUserSaid = [found, pod].some(one => numberAt(one, 'securityContext', 'runAsUser') !== undefined)
  const security = valueAt(found, ['securityContext'])
  const container: ValuesTree = {
    ...rest,
    image: own.image,
    ...(own.pullPolicy === undefined ? {} : { imagePullPolicy: own.pullPolicy }),
    args: [program.command, ...wordsOf(found, program)],
    env:
      grace === undefined
        ? env
        : [...env.filter(({ name }) => name !== graceVariable), { name: graceVariable, value: String(grace) }],
    resources: roomier(Object(found['resources']), own),
    ...(isUserSaid || own.runAsUser === undefined ? {} : { securityContext: { ...Object(security), runAsUser: own.runAsUser } }),
    ...(hasTmp ? {} : { volumeMounts: [...mounts, { name: scratch, mountPath: '/tmp' }] }),
  }
  const names = new Set(listAt(pod, 'imagePullSecrets').map(secret => textAt(secret, 'name')))
  const secrets = own.pullSecrets.filter(secret => !names.has(textAt(secret, 'name')))
  const spec: ValuesTree = {
    ...pod,
    containers: containers.map(one => (one === found ? container : one)),
    ...(hasTmp ? {} : { volumes: [...listAt(pod, 'volumes'), { name: scratch, emptyDir: {} }] }),
    ...(secrets.length === 0 ? {} : { imagePullSecrets: [...listAt(pod, 'imagePullSecrets'), ...secrets] }),
  }
  return { ...template, spec }
}

/** Upstream's memory is measured for upstream: ours gets as much as it asks for elsewhere, and never less than upstream had. */
function roomier(resources: ValuesTree, { memory }: OwnPods): ValuesTree {
  const raised = (tree: ValuesTree, part: 'requests' | 'limits', least: string | undefined): ValuesTree => {
    const had = textAt(tree, part, 'memory')
    // Without a limit there is nothing to raise.
    if (least === undefined || (had === undefined && part === 'limits')) return tree
    const [now, wanted] = [had ?? '0', least].map(text => parseQuantity(text))
    const isEnough = now?.ok === true && wanted?.ok === true && compareQuantities(now.value, wanted.value) >= 0
    return isEnough ? tree : withValue(tree, [part, 'memory'], least)
  }
  return raised(raised(resources, 'requests', memory.request), 'limits', memory.limit)
}

/** Why nobody would answer for a while when its template changes; `undefined`: others of it answer meanwhile. */
export function leavesNobody(workload: KubeObject): string | undefined {
  const strategy = valueAt(workload, ['spec', 'strategy'])
  if (textAt(strategy, 'type') === 'Recreate') return 'its strategy is Recreate: all of its pods end before new ones start'
  const replicas = numberAt(workload, 'spec', 'replicas') ?? 1
  const rolling = valueAt(strategy, ['rollingUpdate'])
  const surge = share(valueAt(rolling, ['maxSurge']), replicas, Math.ceil)
  // Where both come to none, one may be away.
  const away = share(valueAt(rolling, ['maxUnavailable']), replicas, Math.floor) || (surge === 0 ? 1 : 0)
  if (replicas === 0 || away < replicas) return undefined
  return `its roll-out may take ${away} of its ${replicas} pods away at once: say maxSurge: 1 and maxUnavailable: 0`
}

const standardShare = '25%'

function share(value: unknown, replicas: number, round: (share: number) => number): number {
  const said = value ?? standardShare
  const [, percent] = /^(\d+)%$/.exec(String(said)) ?? []
  return percent === undefined ? Number(said) : round((Number(percent) * replicas) / 100)
}
