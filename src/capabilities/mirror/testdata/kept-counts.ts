// Counts that are kept as lines, so that a test can say what was counted.
import type { MirrorCounts } from '../contract.ts'

export class KeptCounts implements MirrorCounts {
  /** `request docker.io miss`, `served ghcr.io local out 10`, in order. */
  readonly lines: string[] = []

  request(registry: string, cache: 'hit' | 'miss'): void {
    this.lines.push(`request ${registry} ${cache}`)
  }

  served(registry: string, source: 'local' | 'peer' | 'relay', direction: 'in' | 'out', bytes: number): void {
    this.lines.push(`served ${registry} ${source} ${direction} ${bytes}`)
  }

  resolved(_seconds: number): void {
    this.lines.push('resolved')
  }

  advertised(registry: string, { tags, digests, content }: Parameters<MirrorCounts['advertised']>[1]): void {
    this.lines.push(`advertised ${registry} ${tags} ${digests} ${content}`)
  }

  verifyFailed(peer: string): void {
    this.lines.push(`verify failed ${peer}`)
  }

  resumed(): void {
    this.lines.push('resumed')
  }

  stalled(): void {
    this.lines.push('stalled')
  }

  fellThrough(reason: string): void {
    this.lines.push(`fell through ${reason}`)
  }

  storeReconciled(): void {
    this.lines.push('store reconciled')
  }

  peers(count: number): void {
    this.lines.push(`peers ${count}`)
  }
}
