// How each sort of swap goes, in a sentence: for docs, `doctor` and `look`.
import type { Part } from './upstream.ts'

/** How the swap goes, by which part of ours does the job. */
export const swapWords: Readonly<Record<Part['kind'], string>> = {
  section: "upstream sleeps, then a section of the controller's configuration is switched on",
  process: 'upstream sleeps, then a process of ours wakes, by the same settings',
  api: 'ours measures beside it, callers are led to ours, then upstream sleeps',
  'led-api': 'ours stands by, upstream sleeps and gives it its Lease, callers are led after it',
  'in-place': 'program by program, within its own Deployments: its roll-outs bring ours',
  publishing: 'upstream decides no more, ours publish beside its workers, these sleep, then ours decides',
  offering: "ours offer beside upstream's, every node has as much by ours, then its operator and its pods go",
  nodes: 'node by node: its pod goes, ours comes',
  'by-hand': 'by hand: each step is printed and looked at, none is carried out',
}
