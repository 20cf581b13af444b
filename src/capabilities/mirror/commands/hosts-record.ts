// How often the container that writes containerd's hosts files did it, and how it went: it ends before the mirror of its pod starts, which
// tells it in its metrics. The file lies in a volume of the pod, and goes with it.
import { readFileSync, writeFileSync } from 'node:fs'
import { Counter, type Registry } from 'prom-client'
import { type Log, messageOf } from '#kube/log.ts'

const results = ['written', 'unchanged', 'failed'] as const
type Result = (typeof results)[number]
type HostsRecord = Readonly<Record<Result, number>>

const nothing: HostsRecord = { written: 0, unchanged: 0, failed: 0 }

/** What `file` says; nothing where it is not there or says something else. */
export function readHostsRecord(file: string): HostsRecord {
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'))
    const count = (result: Result) => {
      const found: unknown = typeof read === 'object' && read !== null ? Reflect.get(read, result) : undefined
      return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0 ? found : 0
    }
    return { written: count('written'), unchanged: count('unchanged'), failed: count('failed') }
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && 'code' in error && error.code === 'ENOENT')) return nothing
    throw error
  }
}

/** One more. A figure that cannot be kept is no reason not to start: it is logged. */
export function addToHostsRecord(file: string, result: Result, log: Log): void {
  try {
    const before = readHostsRecord(file)
    writeFileSync(file, JSON.stringify({ ...before, [result]: before[result] + 1 }))
  } catch (error) {
    log.warn({ file, why: messageOf(error) }, 'how the hosts files were written is not counted')
  }
}

/** The metric of specification and dashboards, as the record has it now. */
export function countHostsWrites(metrics: Registry, record: HostsRecord): void {
  const counter = new Counter({
    name: 'ballast_node_config_writes_total',
    help: "Times that containerd's hosts files of this node were looked at and written, by how it went.",
    labelNames: ['result'],
    registers: [metrics],
  })
  for (const result of results) counter.inc({ result }, record[result])
}
