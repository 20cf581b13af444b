// What keeps a stage of an isolation from being over, and what its user should know beforehand, row by row. Pure words.

import { stringify } from 'yaml'
import type { IsolationRules } from '../goals/policy.ts'
import type { Plan, Unmovable } from '../plan-record.ts'
import { explanationLines, reasonText, remedySentence, staySentence } from '../sentences.ts'
import { type TemplatedWorkload, tolerationPatch } from './core-workloads.ts'
import type { IsolationSurvey } from './survey.ts'

export interface StageRow {
  /** `Pod media/sonarr-0`, `Deployment argocd/argocd`, `Node talos00`. */
  readonly subject: string
  readonly reason: string
  readonly message: string
  /** What would help; of a missing toleration the patch. */
  readonly remedy?: string
}

/** Codes of pods that the taint would leave Pending for good once they end: nothing begins before they are settled. */
const stranded: ReadonlySet<Unmovable['code']> = new Set(['VolumePinned', 'NodeAffinityPinned', 'NoFeasibleNode'])
/** What belongs on an isolated node. */
const atHome: ReadonlySet<Unmovable['code']> = new Set(['Core', 'DaemonSet', 'Mirror', 'Static'])

/** Why nothing may begin. `plan`: on paper, with everything moved at once; left out where one is under way already. */
export function preflightRows(survey: IsolationSurvey, plan: Plan | undefined): readonly StageRow[] {
  const { rules, otherNodes, staying } = survey
  const rows: StageRow[] = []
  if (rules.nodes.length === 0)
    rows.push({
      subject: 'Node',
      reason: 'NoNode',
      message: 'spec.isolation.nodes picks no node of this cluster',
      remedy: 'let spec.isolation.nodes pick the nodes that are to be kept for the core',
    })
  if (otherNodes.length === 0)
    rows.push({
      subject: `Node ${rules.nodes.join(', ')}`,
      reason: 'NoOtherNode',
      message: 'no other node is Ready and schedulable: there is no place to go to',
      remedy: 'bring up or uncordon another node',
    })
  for (const pod of staying) {
    if (!stranded.has(pod.code)) continue
    const remedy = remedySentence(pod.code, pod.data)
    const name = `${pod.pod.namespace}/${pod.workload?.name ?? pod.pod.name}`
    rows.push({
      subject: `Pod ${pod.pod.namespace}/${pod.pod.name}`,
      reason: reasonText(pod),
      message: `${staySentence(pod)}; with the taint it would hang Pending once it ends`,
      remedy: `${remedy === undefined ? '' : `${remedy}, or `}let it stay: exceptions: [${name}]`,
    })
  }
  if (plan?.isolation !== undefined && plan.isolation.left.length > 0) {
    const { left, toMove, nodes } = plan.isolation
    rows.push({
      subject: `Node ${nodes.join(', ')}`,
      reason: 'Infeasible',
      message: [`${left.length} of ${toMove} pods find no place`, ...explanationLines(plan)].join('; ').slice(0, 1024),
      remedy: 'make room on another node, lift spec.headroom, or name exceptions',
    })
  }
  return rows
}

/** Core workloads that could not come back, each with its patch; then those that are not whole. */
export function tolerationRows({ core, rules }: Pick<IsolationSurvey, 'core' | 'rules'>): readonly StageRow[] {
  return [
    ...core.filter(({ isTolerant }) => !isTolerant).map(workload => missingRow(workload, rules)),
    ...core
      .filter(({ isTolerant, isAvailable }) => isTolerant && !isAvailable)
      .map(workload => ({ subject: subjectOf(workload), reason: 'CoreNotAvailable', message: workload.availability })),
  ]
}

function missingRow(workload: TemplatedWorkload, rules: IsolationRules): StageRow {
  const { hindrance, isRollable, availability, isAvailable } = workload
  const message = `its pods do not tolerate ${rules.taint}:NoSchedule and could not come back to ${rules.nodes.join(', ')}`
  const row = { subject: subjectOf(workload), reason: 'TolerationMissing' }
  // Its template stays as it is: the roll-out is all that is needed.
  if (isRollable) return { ...row, message: `${message}${isAvailable ? '' : `; ${availability}`}` }
  return {
    ...row,
    message: hindrance === undefined ? message : `${message}; ${hindrance}`,
    remedy: stringify(tolerationPatch(workload, rules)).trimEnd().slice(0, 4096),
  }
}

/**
 * What keeps tolerations by webhook from being given at all. `isServed`: the controller can be reached by API servers; `tried`: the last
 * roll-out for the toleration, where it is not over well.
 */
export function webhookRows(
  { core, rules }: Pick<IsolationSurvey, 'core' | 'rules'>,
  webhook: { readonly isServed: boolean; readonly tried: TriedRollout | undefined },
): readonly StageRow[] {
  if (rules.tolerationsFrom !== 'webhook') return []
  if (!webhook.isServed)
    return [
      {
        subject: 'Webhook tolerations.isolate.ballast.dev',
        reason: 'WebhookMissing',
        message: 'this controller serves no webhooks: nobody gives core pods their toleration while they are created',
        remedy: 'start the controller with --webhook-host ADDRESS, or set spec.isolation.tolerations to report or apply',
      },
    ]
  const { tried } = webhook
  const workload = tried === undefined ? undefined : core.find(({ object }) => object.metadata.uid === tried.workload)
  if (tried === undefined || workload === undefined) return []
  const subject = subjectOf(workload)
  const again = `kubectl rollout restart ${workload.kind.toLowerCase()} ${workload.name} -n ${workload.namespace}`
  if (tried.unreached.length > 0)
    return [
      {
        subject,
        reason: 'WebhookUnreached',
        message: `rolled out at ${tried.mark}, and ${tried.unreached.join(', ')} came without the toleration: API servers do not reach the webhook`,
        remedy: `let API servers reach the controller (--webhook-host, --webhook-port, firewall), then: ${again}`,
      },
    ]
  if (tried.isMarked || workload.isTolerant || !workload.isAvailable) return []
  return [
    {
      subject,
      reason: 'RolloutUndone',
      message: `rolled out at ${tried.mark}; somebody took that back (kubectl.kubernetes.io/restartedAt of its template), and pods still lack the toleration`,
      remedy: again,
    },
  ]
}

/** A roll-out that was to give pods of a workload their toleration. */
export interface TriedRollout {
  /** UID of the workload. */
  readonly workload: string
  /** What its template says of it: the time of its permit. */
  readonly mark: string
  /** Whether the template still says so. */
  readonly isMarked: boolean
  /** Pods of that roll-out which lack the toleration. */
  readonly unreached: readonly string[]
}

/** Isolated nodes without their taint. */
export function taintRows({ untainted, rules }: Pick<IsolationSurvey, 'untainted' | 'rules'>): readonly StageRow[] {
  return untainted.map(node => ({
    subject: `Node ${node}`,
    reason: 'TaintMissing',
    message: `it does not carry ${rules.taint}:NoSchedule`,
    remedy: `kubectl taint nodes ${node} ${rules.taint}=:NoSchedule (Talos: machine.nodeTaints)`,
  }))
}

/** What is on the isolated nodes and does not belong there, with why it is. */
export function foreignRows({ leaving, staying }: IsolationSurvey): readonly StageRow[] {
  return [
    ...leaving.map(({ pod }) => ({ subject: `Pod ${pod.key}`, reason: 'Leaving', message: 'it has still to leave' })),
    ...staying.filter(({ code }) => !atHome.has(code) && code !== 'Excepted').map(stayRow),
  ]
}

/** What the user should know before the taint is set: who will not come back, and who stays for another reason. */
export function warningRows({ staying, intolerantDaemonSets, rules }: IsolationSurvey): readonly StageRow[] {
  const webhook =
    rules.tolerationsFrom === 'webhook'
      ? [
          {
            subject: 'Webhook tolerations.isolate.ballast.dev',
            reason: 'TolerationByWebhook',
            message: `templates stay as they are: a core pod that is made while the controller is away lacks the toleration and cannot come to ${rules.nodes.join(', ')}`,
            remedy: 'report or apply put the toleration into the templates',
          },
        ]
      : []
  const daemonSets = intolerantDaemonSets.map(({ namespace, name }) => {
    const kind = rules.coreNamespaces.includes(namespace) ? 'core' : 'not core'
    return {
      subject: `DaemonSet ${namespace}/${name}`,
      reason: 'DaemonSetWithoutToleration',
      message: `${kind}: its pod on ${rules.nodes.join(', ')} stays, and will not come back there after the next rollout`,
      remedy: `add a toleration for ${rules.taint}:NoSchedule to it, if it is to run there`,
    }
  })
  const stays = staying.filter(({ code }) => !atHome.has(code) && !stranded.has(code)).map(stayRow)
  return [...webhook, ...daemonSets, ...stays]
}

function stayRow(pod: Unmovable): StageRow {
  const remedy = remedySentence(pod.code, pod.data)
  const later = pod.code === 'Excepted' ? '; without a toleration it cannot come back once it ends' : ''
  return {
    subject: `Pod ${pod.pod.namespace}/${pod.pod.name}`,
    reason: reasonText(pod),
    message: `${staySentence(pod)}${later}`,
    ...(remedy === undefined ? {} : { remedy }),
  }
}

/** How everything is taken back. Moved pods stay where they are, and tolerations harm nobody. */
export function undoLines(
  rules: Pick<IsolationRules, 'nodes' | 'taint'>,
  taintMode: 'external' | 'kubernetes',
): readonly string[] {
  return taintMode === 'kubernetes'
    ? rules.nodes.map(node => `kubectl taint nodes ${node} ${rules.taint}:NoSchedule-`)
    : rules.nodes.flatMap(node => [
        `Talos: take ${rules.taint} out of machine.nodeTaints of ${node} (talosctl -n ${node} edit machineconfig)`,
        `elsewhere: kubectl taint nodes ${node} ${rules.taint}:NoSchedule-`,
      ])
}

function subjectOf({ kind, namespace, name }: TemplatedWorkload): string {
  return `${kind} ${namespace}/${name}`
}
