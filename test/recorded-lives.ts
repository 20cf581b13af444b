// Lives of objects with what a real kube-apiserver answered: `test/real/differential/record.ts` records.
import { gunzipSync } from 'node:zlib'
import type { Answer } from './real/differential/findings.ts'
import type { DifferentialRequest, Life } from './real/differential/request.ts'

export interface RecordedLife extends Omit<Life, 'requests'> {
  /** Makes the names in it. */
  readonly number: number
  readonly exchanges: readonly { readonly request: DifferentialRequest; readonly real: Answer }[]
}

interface RecordedLives {
  readonly server: string
  readonly lives: readonly RecordedLife[]
}

/** A life a line. */
export function recordedText(server: string, lives: readonly RecordedLife[]): string {
  return `{"server":${JSON.stringify(server)},"lives":[\n${lives.map(life => JSON.stringify(life)).join(',\n')}\n]}\n`
}

/** Reads what {@link recordedText} wrote and `packed` packed. */
export function readLives(bytes: Uint8Array): RecordedLives {
  return JSON.parse(gunzipSync(bytes).toString()) as RecordedLives
}
