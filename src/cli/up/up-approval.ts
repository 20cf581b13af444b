// Who approves of a plan under `ballast up --ask`: a key here, or somebody else through the API, whichever comes first.
import { createInterface } from 'node:readline'
import type { RebalancePlan } from '#coordination/api.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

/** Resolves at a line of input. @throws CommandRefused where input ends without one; the signal's reason */
async function keyPressed(plan: RebalancePlan, where: string, signal: AbortSignal): Promise<void> {
  // Not the terminal mode of readline: it would keep Ctrl-C for itself.
  const lines = createInterface({ input: process.stdin, terminal: false })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = () => reject(signal.reason)
  process.stderr.write(`\nPress Enter to approve ${plan.metadata.name}${where} (Ctrl-C leaves everything as it is) `)
  lines.once('line', () => resolve())
  lines.once('close', () =>
    reject(new CommandRefused(`nobody approved ${plan.metadata.name}: standard input has ended`, exitCodes.notSo)),
  )
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    lines.close()
  }
}

interface Asking {
  /** Resolves when somebody else has decided. */
  readonly elsewhere: (signal: AbortSignal) => Promise<void>
  /** Where else that can be done, for the prompt. */
  readonly where: string
  readonly signal: AbortSignal
}

/** Resolves at a line of input or when somebody else has decided. @throws CommandRefused where input ends before; the signal's reason */
export async function keyOrElsewhere(plan: RebalancePlan, { elsewhere, where, signal }: Asking): Promise<void> {
  const decided = new AbortController()
  const both = AbortSignal.any([signal, decided.signal])
  try {
    await Promise.race([keyPressed(plan, where, both), elsewhere(both)])
  } finally {
    decided.abort()
  }
}
