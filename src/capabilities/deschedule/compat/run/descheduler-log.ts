// What the rooms of the run ask of a log: upstream's levels, and fields of their own.
import type { Log } from '#kube/log.ts'

export type LogFields = Readonly<Record<string, string | number | boolean>>

export interface DeschedulerLog {
  /** klog's level: what is above it is not written, and need not be made. */
  readonly verbosity: number
  /** An information at `level`. */
  told(level: number, message: string, fields: LogFields): void
  warned(message: string, fields: LogFields): void
  /** Always written. `error`: upstream's text. */
  failed(message: string, error: string, fields: LogFields): void
  /** The same log for the machinery below. */
  readonly machinery: Log
}
