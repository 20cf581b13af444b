// The control plane isolated on a real cluster as its user does it: `ballast isolate talos00`, on paper, carried out, taken back.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { ControllerProcess } from '../../controller-process.ts'
import { openChecker } from '../../independent-checker.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { eventually } from './example-cluster.ts'
import { end, judgeTraces, landings, lastOf, listOf, openSite, type PlanObject, paths, type Site, taints, told } from './site.ts'
import type { PodObject } from './tiny-kubelet.ts'

const taint = 'node-role.kubernetes.io/control-plane'
const wishes = ['--keda', 'evict', '--taint-mode', 'kubernetes', '--tolerations', 'apply'] as const
const argocd = '/apis/apps/v1/namespaces/argocd/deployments/argocd'
/** All moves and the roll-out of a toleration, with a change of leaders in between. */
const applyLimitMs = 480_000

interface Toleration {
  readonly key?: string
  readonly operator?: string
  readonly effect?: string
}

interface Workload extends ApiObject {
  readonly spec: { readonly template: { readonly spec: { readonly tolerations?: readonly Toleration[] } } }
}

interface PolicyObject extends ApiObject {
  readonly spec: { readonly isolation?: { readonly enabled?: boolean } }
  readonly status?: {
    readonly isolation?: { readonly stage: string; readonly phase: string; readonly message: string; readonly blocked?: unknown }
  }
}

interface LeaseObject extends ApiObject {
  readonly spec: { readonly holderIdentity?: string }
}

/** A core workload whose template and pods lack the toleration. */
function withoutToleration(objects: readonly ApiObject[]): readonly ApiObject[] {
  return objects.map(object => {
    if (object.kind !== 'Deployment' || object.metadata.name !== 'argocd') return object
    const { spec } = object as Workload
    const { tolerations: _, ...pod } = spec.template.spec
    return { ...object, spec: { ...spec, template: { ...spec.template, spec: pod } } }
  })
}

/**
 * Two processes stand by, one leads. The report changes nothing; carried out, the leader is killed when five moves have landed and the
 * other ends it; at last it is taken back.
 */
export async function isolateControlPlane(): Promise<string> {
  await using site = await openSite('1.36', withoutToleration)
  const { client } = site
  const before = await talos00(site)
  const report = await site.ballast(['isolate', 'talos00', ...wishes])
  strictEqual(report.code, 3, `${report.stdout}${report.stderr}`)
  ok(/argocd/.test(report.stdout) && /\b23\b/.test(report.stdout), report.stdout)
  const first = site.startController()
  await eventually('somebody leads', async () => ((await holder(site)) === '' ? undefined : true))
  const firstHolder = await holder(site)
  const second = site.startController()
  deepStrictEqual(await talos00(site), before)
  const checker = await openChecker(site.transport)
  const applied = site.ballast(['isolate', 'talos00', ...wishes, '--apply', '--yes'], applyLimitMs)
  const kills = killAtFive(site, first, second)
  const { code, stdout, stderr } = await applied
  const plans = await listOf<PlanObject>(client, paths.plans)
  strictEqual(code, 0, `${stdout}\n${stderr}\n${told(plans)}\n${second.log.split('\n').slice(-12).join('\n')}`)
  await kills
  ok((await holder(site)) !== firstHolder, firstHolder)
  const judgement = await checker.judge()
  const landed = landings(plans)
  strictEqual(landed.length, 23, `${told(plans)}\n${stdout}`)
  deepStrictEqual([...new Set(plans.map(({ spec }) => spec.purpose))], ['isolate'])
  strictEqual(lastOf(plans)?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status, 'True', told(plans))
  const staying = await talos00(site)
  // What is core stays as it was, but for the pod that was rolled out: the scheduler may put that one elsewhere.
  deepStrictEqual(
    staying.filter(pod => !isRolledOut(pod)),
    before.filter(pod => isCore(pod) && !isRolledOut(pod)),
  )
  const control = judgement.nodes.get('talos00')?.millicores ?? 0
  ok(control * 100 < 33 * 7950, `talos00: ${control} millicores of 7950`)
  deepStrictEqual(await taints(client), [`talos00 ${taint}:NoSchedule`])
  const { spec } = (await client.want('GET', argocd)) as Workload
  deepStrictEqual(spec.template.spec.tolerations, [{ key: taint, operator: 'Exists', effect: 'NoSchedule' }])
  const back = await site.ballast(['isolate', 'talos00', '--abort'])
  strictEqual(back.code, 0, `${back.stdout}${back.stderr}`)
  ok(back.stdout.includes('Its taint was taken away'), back.stdout)
  deepStrictEqual(await taints(client), [])
  const policy = (await client.want('GET', paths.policy)) as PolicyObject
  deepStrictEqual([policy.spec.isolation?.enabled, policy.status?.isolation?.phase], [false, 'Aborted'])
  await end(site, second)
  const { requests, evictions, permits } = await judgeTraces(site, judgement)
  const surges = plans.flatMap(plan => plan.spec.moves).filter(({ action }) => action === 'surge')
  return [
    `${landed.length} moves in ${plans.length} plan(s), ${evictions.length} evictions and ${surges.length} surges`,
    `${staying.length} pods stay on talos00 at ${Math.trunc((100 * control) / 7950)} %`,
    'argocd got its toleration',
    'the leader was killed half-way',
    `${permits.length} permits`,
    `${requests.length} requests, no 403`,
    `${judgement.events} pod events, no budget broken`,
    `aborted: ${policy.status?.isolation?.message ?? ''}`,
  ].join(', ')
}

/** Kills the leading process when five moves have landed. */
async function killAtFive(site: Site, first: ControllerProcess, second: ControllerProcess): Promise<void> {
  await eventually(
    'five moves have landed',
    async () => {
      site.look(first, second)
      return landings(await listOf<PlanObject>(site.client, paths.plans)).length >= 5 ? true : undefined
    },
    applyLimitMs,
  )
  first.kill('SIGKILL')
  await first.ended
}

async function holder({ client }: Site): Promise<string> {
  const { status, body } = await client.send('GET', paths.lease)
  return status === 200 ? ((body as LeaseObject).spec.holderIdentity ?? '') : ''
}

/** `namespace/name` of the workload or pod of each pod there, sorted. */
async function talos00({ client }: Site): Promise<readonly string[]> {
  const pods = await listOf<PodObject>(client, '/api/v1/pods?fieldSelector=spec.nodeName%3Dtalos00')
  return pods
    .map(({ metadata }) => `${metadata.namespace}/${metadata.ownerReferences?.[0]?.kind ?? ''}/${metadata.name}`)
    .toSorted()
}

const coreNamespaces = new Set([
  'kube-system',
  'cert-manager',
  'external-secrets',
  'flux-system',
  'argocd',
  'traefik',
  'liqo',
  'cilium-spire',
  'local-path-storage',
  'node-feature-discovery',
])

/** Pods of DaemonSets and of nodes stay as well. */
function isCore(pod: string): boolean {
  const [namespace = '', owner = ''] = pod.split('/')
  return coreNamespaces.has(namespace) || owner === 'DaemonSet' || owner === 'Node'
}

const isRolledOut = (pod: string) => pod.startsWith('argocd/ReplicaSet/argocd-')
