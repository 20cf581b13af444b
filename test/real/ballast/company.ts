// Ballast among others on a real cluster: what kubectl rolls out and drains holds a plan's moves and is named, the Lease is deleted under
// way, other processes ask for permits, and an isolation is called off in the middle.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { setTimeout as pause } from 'node:timers/promises'
import type { ControllerProcess } from '../../controller-process.ts'
import { openChecker } from '../../independent-checker.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { eventually } from './example-cluster.ts'
import {
  approve,
  end,
  isOver,
  judgeTraces,
  landings,
  listOf,
  openSite,
  type PermitObject,
  type PlanObject,
  paths,
  type Site,
  taints,
  told,
} from './site.ts'

/** Planned to be moved by a surge; its only pod is on talos00. */
const restarted = { namespace: 'media', name: 'kometa' }
const drained = { node: 'talos01', namespace: 'authentik', name: 'authentik-worker' }
const asked = { namespace: 'infra-control', name: 'dashboards' }
/** All moves, with two changes of leaders in between and a budget that may hold one of them for two minutes. */
const runLimitMs = 480_000
/** So long nothing else is to begin. */
const calmMs = 5_000

interface EventObject extends ApiObject {
  readonly reason?: string
  readonly message?: string
  readonly note?: string
}

interface LeaseObject extends ApiObject {
  readonly spec: { readonly holderIdentity?: string }
  readonly metadata: ApiObject['metadata'] & { readonly uid: string; readonly annotations?: Readonly<Record<string, string>> }
}

export async function amongOthers(): Promise<string> {
  await using site = await openSite('1.36')
  const first = site.startController()
  await eventually('the controller leads', async () => ((await epoch(site)) > 0 ? true : undefined))
  await restart(site)
  const checker = await openChecker(site.transport)
  const plan = await proposed(site)
  ok(
    !plan.spec.moves.some(({ workload }) => workload.namespace === restarted.namespace && workload.name === restarted.name),
    told([plan]),
  )
  const stays = plan.status?.unmovable?.find(({ workload }) => workload.endsWith(` ${restarted.namespace}/${restarted.name}`))
  ok(stays?.reason === 'CoolingDown' && /by kubectl rollout restart/.test(stays.message ?? ''), JSON.stringify(stays))
  const drainWords = await heldByDrain(site, plan, first)
  const { controller, words } = await carriedOutWithoutLease(site, first)
  const ended = await listOf<PlanObject>(site.client, paths.plans)
  await judgeAccounts(site)
  const requests = await judgeRequests(site, controller)
  const aborted = await abortHalfWay(site, controller)
  const judgement = await checker.judge()
  await end(site, controller)
  const traces = await judgeTraces(site, judgement)
  return [
    drainWords,
    `${restarted.name} stays: ${stays.message}`,
    words,
    requests,
    aborted,
    `${landings(ended).length} moves landed`,
    `${traces.evictions.length} evictions`,
    `${traces.permits.length} permits`,
    `${traces.requests.length} requests, no 403`,
    `${judgement.events} pod events, no budget broken`,
  ].join('; ')
}

/** By kubectl, while no other node takes the new pod: so there is a reason to move it. */
async function restart({ kubectl }: Site): Promise<void> {
  const others = ['talos01', 'talos02-gpu', 'talos03']
  for (const node of others) await kubectl(['cordon', node])
  await kubectl(['rollout', 'restart', `deployment/${restarted.name}`, '-n', restarted.namespace])
  await kubectl(['rollout', 'status', `deployment/${restarted.name}`, '-n', restarted.namespace, '--timeout=60s'])
  for (const node of others) await kubectl(['uncordon', node])
}

async function proposed({ client }: Site): Promise<PlanObject> {
  await client.want('PATCH', paths.policy, { metadata: { annotations: { 'ballast.dev/plan-now': 'now' } } })
  return await eventually('a plan is proposed', async () => {
    const plans = await listOf<PlanObject>(client, paths.plans)
    return plans.find(({ status }) => status?.phase === 'Proposed')
  })
}

/** A plan that is approved while kubectl drains a node: nothing is moved, and it is said because of whom. */
async function heldByDrain(site: Site, plan: PlanObject, controller: ControllerProcess): Promise<string> {
  const { client, kubectl, ballast } = site
  const pods = await kubectl([
    'get',
    'deployment',
    drained.name,
    '-n',
    drained.namespace,
    '-o',
    'jsonpath={.spec.selector.matchLabels}',
  ])
  const selector = Object.entries(JSON.parse(pods) as Readonly<Record<string, string>>).map(([key, value]) => `${key}=${value}`)
  await kubectl([
    'drain',
    drained.node,
    '--ignore-daemonsets',
    '--delete-emptydir-data',
    `--pod-selector=${selector.join()}`,
    '--timeout=100s',
  ])
  await approve(site, plan)
  const because = 'gate foreign-drain is red: node talos01 is being drained by kubectl drain'
  const said = await eventually(
    () => `it is said that ${drained.node} is drained\n${controller.log.split('\n').slice(-8).join('\n')}`,
    async () => {
      site.look(controller)
      const events = await listOf<EventObject>(client, '/api/v1/events')
      return events.map(({ message }) => message ?? '').find(text => text.includes(because))
    },
    120_000,
  )
  const moved = (await listOf<PermitObject>(client, paths.permits)).filter(({ spec }) => spec.verb === 'evict')
  deepStrictEqual(moved, [])
  const [move] = plan.spec.moves
  ok(move !== undefined)
  const why = await ballast(['why', `${move.workload.kind}/${move.workload.name}`, '-n', move.workload.namespace])
  strictEqual(why.code, 0, why.stderr)
  ok(why.stdout.replaceAll(/\s+/g, ' ').includes('is being drained by kubectl drain'), why.stdout)
  await judgeObserved(site, [/^kubectl rollout restart: .*kometa/, /^kubectl drain: .*talos01/])
  await kubectl(['uncordon', drained.node])
  return said
}

/**
 * The Lease is deleted when three moves have landed: who leads makes it anew and goes on. When six have, the leader is killed and the Lease
 * deleted with it: the next one begins with a later epoch all the same, and ends the plan.
 */
async function carriedOutWithoutLease(site: Site, first: ControllerProcess) {
  const { client } = site
  let controller = first
  const seen: { readonly epoch: number; readonly uid: string }[] = []
  let plans: readonly PlanObject[] = []
  const loseLease = async () => {
    seen.push({ epoch: await epoch(site), uid: (await lease(site))?.metadata.uid ?? '' })
    await site.kubectl(['delete', 'lease', 'ballast-controller', '-n', 'ballast-system'])
  }
  await eventually(
    () => `the plans are over: ${told(plans)}\n${controller.log.split('\n').slice(-8).join('\n')}`,
    async () => {
      site.look(controller)
      plans = await listOf<PlanObject>(client, paths.plans)
      for (const plan of plans) if (plan.status?.phase === 'Proposed' && plan.spec.approved !== true) await approve(site, plan)
      const count = landings(plans).length
      if (seen.length === 0 && count >= 3) await loseLease()
      if (seen.length === 1 && count >= 6 && (await epoch(site)) > 0) {
        controller.kill('SIGKILL')
        await controller.ended
        await loseLease()
        controller = site.startController()
      }
      return plans.length > 0 && plans.every(isOver) ? true : undefined
    },
    runLimitMs,
  )
  const [deleted, killed] = seen
  ok(deleted !== undefined && killed !== undefined, told(plans))
  ok(deleted.uid !== killed.uid && killed.epoch >= deleted.epoch, 'the Lease was made anew, with no earlier epoch')
  const now = await epoch(site)
  ok(now > killed.epoch, `epoch ${now} after ${killed.epoch}`)
  return {
    controller,
    words: `epochs ${deleted.epoch}, ${killed.epoch} with the Lease deleted, ${now} with the leader killed besides`,
  }
}

async function lease({ client }: Site): Promise<LeaseObject | undefined> {
  const { status, body } = await client.send('GET', paths.lease)
  return status === 200 ? (body as LeaseObject) : undefined
}

const epoch = async (site: Site) => Number((await lease(site))?.metadata.annotations?.['ballast.dev/leader-epoch'] ?? 0)

/** What `ballast why` and `ballast permits` say of what others did. */
async function judgeAccounts(site: Site): Promise<void> {
  const why = await site.ballast(['why', `deploy/${restarted.name}`, '-n', restarted.namespace])
  strictEqual(why.code, 0, why.stderr)
  ok(why.stdout.includes('kubectl rollout restart'), why.stdout)
  // With the cordon the proof of the drain is gone; that the pods were lost is not.
  await judgeObserved(site, [/^kubectl rollout restart: .*kometa/, /: .*authentik-worker/])
}

/** `ballast permits` lists what others did without asking. */
async function judgeObserved({ ballast }: Site, expected: readonly RegExp[]): Promise<void> {
  const { code, stdout, stderr } = await ballast(['permits', '-o', 'json'])
  strictEqual(code, 0, stderr)
  const { permits } = JSON.parse(stdout) as {
    readonly permits: readonly { readonly who: string; readonly decision: string; readonly target: string }[]
  }
  const observed = permits.filter(({ decision }) => decision === 'Observed').map(({ who, target }) => `${who}: ${target}`)
  for (const row of expected)
    ok(
      observed.some(text => row.test(text)),
      `${row} in\n${observed.join('\n')}`,
    )
}

/** Another process asks by kubectl: granted, told to wait while that is out, told that it was done, refused. */
async function judgeRequests(site: Site, controller: ControllerProcess): Promise<string> {
  const { kubectl } = site
  const { namespace, name } = asked
  const uid = await kubectl(['get', 'deployment', name, '-n', namespace, '-o', 'jsonpath={.metadata.uid}'])
  const ask = async (permit: string, spec: object) => {
    await kubectl(
      ['create', '--validate=strict', '-f', '-'],
      JSON.stringify({
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'DisruptionPermit',
        metadata: { name: permit, namespace },
        spec: {
          requester: 'outsider',
          class: 'correctness',
          verb: 'restart',
          purpose: 'reload',
          targets: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name, uid }],
          reasons: [{ code: 'secret', message: 'a secret was rotated' }],
          idempotencyKey: permit,
          deadline: new Date(Date.now() + 3_600_000).toISOString(),
          ...spec,
        },
      }),
    )
    return answer(permit)
  }
  const answer = (permit: string, than?: string) =>
    eventually(
      () => `${permit} is answered\n${controller.log.split('\n').slice(-8).join('\n')}`,
      async () => {
        const { spec, status } = JSON.parse(
          await kubectl(['get', 'permit', permit, '-n', namespace, '-o', 'json']),
        ) as PermitObject
        if (status?.decision === undefined || status.decision === than) return undefined
        return { decision: status.decision, reason: status.reason ?? '', token: spec.grant?.token ?? 0 }
      },
      120_000,
    )
  const release = (permit: string) =>
    kubectl([
      'patch',
      'permit',
      permit,
      '-n',
      namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status: { releasedAt: `${new Date().toISOString().slice(0, 19)}Z`, ending: 'done' } }),
    ])
  const first = await ask('first', {})
  strictEqual(first.decision, 'Granted', first.reason)
  const second = await ask('second', {})
  deepStrictEqual([second.decision, second.token], ['Queued', 0], second.reason)
  ok(/lock|out/.test(second.reason), second.reason)
  await kubectl(['rollout', 'restart', `deployment/${name}`, '-n', namespace])
  await kubectl(['rollout', 'status', `deployment/${name}`, '-n', namespace, '--timeout=60s'])
  await release('first')
  const later = await answer('second', 'Queued')
  strictEqual(later.decision, 'Granted', later.reason)
  ok(later.token > first.token, `token ${later.token} after ${first.token}`)
  await release('second')
  const repeated = await ask('repeated', { idempotencyKey: 'second' })
  ok(['NoOp', 'Coalesced'].includes(repeated.decision), `${repeated.decision}: ${repeated.reason}`)
  const bad = await ask('bad', { targets: [{ apiVersion: 'v1', kind: 'Node', name: 'talos03', uid }] })
  strictEqual(bad.decision, 'Denied', bad.reason)
  return `requests: ${first.decision}, ${second.decision} (${second.reason}), ${later.decision}, ${repeated.decision}, ${bad.decision} (${bad.reason})`
}

/** `--abort` when three moves of an isolation have landed: what has begun ends, nothing else begins. */
async function abortHalfWay(site: Site, controller: ControllerProcess): Promise<string> {
  const { client, ballast } = site
  const before = landings(await listOf<PlanObject>(client, paths.plans)).length
  const applied = ballast(['isolate', 'talos00', '--keda', 'evict', '--taint-mode', 'kubernetes', '--apply', '--yes'], runLimitMs)
  await eventually(
    () => `three pods have left talos00\n${controller.log.split('\n').slice(-8).join('\n')}`,
    async () => {
      site.look(controller)
      return landings(await listOf<PlanObject>(client, paths.plans)).length >= before + 3 ? true : undefined
    },
    runLimitMs,
  )
  const { code, stdout, stderr } = await ballast(['isolate', 'talos00', '--abort'])
  strictEqual(code, 0, `${stdout}${stderr}`)
  const follower = await applied
  strictEqual(follower.code, 3)
  ok(follower.stdout.includes('Waves Aborted: aborted in stage Waves'), `${follower.stdout}${follower.stderr}`)
  const permits = await eventually('what had begun is over', async () => {
    const all = await listOf<PermitObject>(client, paths.permits)
    const isOut = ({ spec, status }: PermitObject) => spec.grant !== undefined && status?.releasedAt === undefined
    return all.some(isOut) || (await taints(client)).length > 0 ? undefined : all
  })
  await pause(calmMs)
  deepStrictEqual(
    (await listOf<PermitObject>(client, paths.permits)).length,
    permits.length,
    'something was granted after the abort',
  )
  deepStrictEqual(await taints(client), [])
  return `${stdout.trim().split('\n')[0]}, and who followed it was told`
}
