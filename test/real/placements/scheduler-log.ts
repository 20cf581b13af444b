// Reads what kube-scheduler logs about its decisions at verbosity 10 of its file schedule_one.

export interface LoggedScores {
  readonly total: number
  readonly plugins: Readonly<Record<string, number>>
}

export type LoggedDecision =
  | {
      readonly kind: 'bound'
      readonly node: string
      readonly evaluated: number
      readonly feasibleCount: number
      /** By node; empty where nothing was scored because one node alone was feasible. */
      readonly scores: ReadonlyMap<string, LoggedScores>
    }
  | { readonly kind: 'unschedulable' }

/** Flags that make the scheduler log scores, and little else. */
export const loggingFlags = ['--v=2', '--vmodule=schedule_one=10'] as const

/** Takes log lines as they come and yields each pod's decision, once. */
export class SchedulerLog {
  readonly #scores = new Map<string, Map<string, { total: number; plugins: Record<string, number> }>>()
  readonly #decisions = new Map<string, PromiseWithResolvers<LoggedDecision>>()

  /** The decision about `namespace/name`, awaited or logged already. */
  decision(pod: string): Promise<LoggedDecision> {
    return this.#pending(pod).promise
  }

  readonly line = (line: string): void => {
    const message = /\] "([^"]*)"(.*)$/.exec(line)
    if (message === null) return
    const fields = logFields(message[2] ?? '')
    const pod = fields.get('pod')
    if (pod === undefined) return
    switch (message[1]) {
      case 'Plugin scored node for pod':
        this.#scored(pod, fields).plugins[wanted(fields, 'plugin')] = number(fields, 'score')
        return
      case "Calculated node's final score for pod":
        this.#scored(pod, fields).total = number(fields, 'score')
        return
      case 'Successfully bound pod to node':
        this.#pending(pod).resolve({
          kind: 'bound',
          node: wanted(fields, 'node'),
          evaluated: number(fields, 'evaluatedNodes'),
          feasibleCount: number(fields, 'feasibleNodes'),
          scores: this.#scores.get(pod) ?? new Map(),
        })
        return
      case 'Unable to schedule pod; no fit; waiting':
        this.#pending(pod).resolve({ kind: 'unschedulable' })
        return
    }
  }

  #pending(pod: string): PromiseWithResolvers<LoggedDecision> {
    const known = this.#decisions.get(pod) ?? Promise.withResolvers<LoggedDecision>()
    this.#decisions.set(pod, known)
    return known
  }

  #scored(pod: string, fields: ReadonlyMap<string, string>): { total: number; plugins: Record<string, number> } {
    const nodes = this.#scores.get(pod) ?? new Map<string, { total: number; plugins: Record<string, number> }>()
    this.#scores.set(pod, nodes)
    const node = wanted(fields, 'node')
    const scores = nodes.get(node) ?? { total: 0, plugins: {} }
    nodes.set(node, scores)
    return scores
  }
}

function logFields(text: string): Map<string, string> {
  const pairs = text.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S+))/g)
  return new Map(Array.from(pairs, ([, key = '', quoted, plain = '']) => [key, quoted ?? plain]))
}

function wanted(fields: ReadonlyMap<string, string>, key: string): string {
  const value = fields.get(key)
  if (value === undefined) throw new Error(`the scheduler's log has a line without ${key}`)
  return value
}

function number(fields: ReadonlyMap<string, string>, key: string): number {
  const value = Number(wanted(fields, key))
  if (!Number.isSafeInteger(value)) throw new Error(`the scheduler's log has ${key}=${fields.get(key)}`)
  return value
}
