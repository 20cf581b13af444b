// node-readiness-controller's own reporter: one address asked now and then, one condition of one node. Its role lets it read nodes and update
// their status, and nothing else.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Condition, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict } from '#kube/objects/status.ts'
import { ask } from './ask.ts'
import { conditionToWrite, healthOf, type NodeCondition } from './reporter-decision.ts'

const updateTries = 5

export interface ConditionReport {
  readonly node: string
  /** Type of the condition. */
  readonly type: string
  /** What is asked: `http://localhost:9099/readiness`. */
  readonly endpoint: string
  readonly intervalMs: number
  /** An unchanged condition is written again after so long. */
  readonly heartbeatMs: number
}

interface Around {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/** Asks and writes until `signal` is aborted. What cannot be written is said, and tried again with the next answer. */
export async function reportCondition(report: ConditionReport, { api, clock, log, signal }: Around): Promise<void> {
  while (!signal.aborted) {
    try {
      await reportOnce(report, { api, clock, signal })
    } catch (error) {
      if (signal.aborted) return
      log.error({ node: report.node, condition: report.type, why: messageOf(error) }, 'the condition is not written, tried again')
    }
    await clock.after(report.intervalMs, signal).catch((reason: unknown) => {
      if (!signal.aborted) throw reason
    })
  }
}

async function reportOnce(report: ConditionReport, { api, clock, signal }: Omit<Around, 'log'>): Promise<void> {
  const { node: name, type, endpoint, heartbeatMs } = report
  const answer = await ask({ url: endpoint }, signal, { mostRedirects: 20 })
  const health = healthOf({ url: endpoint, condition: type, isMirror: false }, answer)
  const nodes = api.resource<Node>(builtIn.nodes)
  for (let attempt = 1; ; attempt++) {
    const node = await nodes.get(name, { signal })
    const known: readonly NodeCondition[] = node.status?.conditions ?? []
    const condition = conditionToWrite(known, { type, health, nowMs: clock.now(), heartbeatMs })
    if (condition === undefined) return
    try {
      await nodes.updateStatus({ ...node, status: { ...node.status, conditions: withOne(known, condition) } }, { signal })
      return
    } catch (error) {
      // Its kubelet writes there too.
      if (!isConflict(error) || attempt === updateTries) throw error
    }
  }
}

function withOne(known: readonly NodeCondition[], one: NodeCondition): readonly Condition[] {
  return known.some(({ type }) => type === one.type)
    ? known.map(before => (before.type === one.type ? one : before))
    : [...known, one]
}
