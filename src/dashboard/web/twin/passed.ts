// How much of the twin's time went by in how much of ours.
import { age } from '../../words/age.ts'

/** `+6h in 2s`. */
export function passedText(clusterMs: number, hereMs: number): string {
  return `+${age(clusterMs)} in ${Math.max(1, Math.round(hereMs / 1000))}s`
}
