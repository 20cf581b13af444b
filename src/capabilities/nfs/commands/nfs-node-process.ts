// The process of a node part that carries nothing but the driver: `ballast agent --role=nfs` becomes it once it has read its settings. What speaks to the API server is
// loaded when there is something to say.
import { startedProcess } from '#cli/started-process.ts'
import type { KnownPart } from '#process/agent/agent-roles.ts'
import type { NfsConfig } from '../config.ts'

interface KnownNode extends KnownPart {
  readonly config: NfsConfig
}

const started = startedProcess()
const { runAlone } = await import('#cli/run-alone.ts')
const { openNode } = await import('#process/agent/agent-node.ts')
const { trimAtRest } = await import('#process/agent/trimming.ts')
const { systemClock } = await import('#kube/clock.ts')
const { startNodePart } = await import('../node-part.ts')
if (started.signal.aborted) process.exit(started.interrupted())
await runAlone(started, async ({ config, options }: KnownNode, { environment, log }) => {
  const openApi = async () => (await import('#process/agent/connect.ts')).connect(options, { log, surroundings: { environment } })
  await using stack = new AsyncDisposableStack()
  const opened = stack.use(
    await openNode(
      [{ capability: 'nfs', role: 'nfs', start: (context, signal) => startNodePart({ ...context, openApi }, config, signal) }],
      options,
      { log, environment },
      { api: undefined },
    ),
  )
  const end = new AbortController()
  const trimming = trimAtRest({ clock: systemClock }, end.signal)
  stack.defer(async () => {
    end.abort()
    await trimming
  })
  const [part] = opened.parts
  if (part === undefined) throw new TypeError('one part was opened')
  const whole = stack.move()
  return { part, onChecks: opened.serve, [Symbol.asyncDispose]: () => whole.disposeAsync() }
})
