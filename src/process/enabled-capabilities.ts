// The capabilities that this program has.
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import { mirror } from '#capabilities/mirror'
import { readiness } from '#capabilities/readiness'
import { reload } from '#capabilities/reload'
import type { Capability } from '#coordination/capability.ts'

export const enabledCapabilities: readonly Capability[] = [deschedule, isolate, mirror, readiness, reload]
