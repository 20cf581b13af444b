// What is said of images and of the mirrors that carry them between nodes.
import type { Sentence } from '../contract.ts'
import { counted, form } from './grammar.ts'
import { percentText } from './percent.ts'
import { count, memoryShort } from './quantity.ts'
import { say } from './sentence.ts'

/** What the mirrors brought: bytes from other nodes, and of all pulls as far as they are known. */
export function imagesSaved(facts: { readonly fromNodes: number; readonly fromOutside: number | null }): Sentence {
  const { fromNodes, fromOutside } = facts
  const said = { fromNodes, ...(fromOutside === null ? {} : { fromOutside }) }
  const all = fromNodes + (fromOutside ?? 0)
  const share = fromOutside === null || all === 0 ? '' : `, ${percentText(fromNodes, all)} of what was pulled`
  return say('images-saved', `${memoryShort(fromNodes)} came from other nodes instead of from outside${share}.`, said)
}

export function noImagesPulled(): Sentence {
  return say('images-none-pulled', 'No node has pulled an image through a mirror yet.')
}

export function noMirrors(): Sentence {
  return say('images-no-mirror', 'No node has an image mirror: each pulls everything from outside.')
}

/** Nodes whose mirror does not serve. */
export function mirrorsMissing({ missing, nodes }: { readonly missing: number; readonly nodes: number }): Sentence {
  const text = `${count(missing)} of ${counted(nodes, 'node')} ${form(missing, 'has', 'have')} no mirror that serves.`
  return say('images-mirrors-missing', text, { missing, nodes })
}

export function pullsRunning({ pulls, outside }: { readonly pulls: number; readonly outside: number }): Sentence {
  const text = `${counted(pulls, 'pull')} ${form(pulls, 'runs', 'run')}, ${count(outside)} from outside.`
  return say('images-pulls-running', text, { pulls, outside })
}

export const mirrorNotReady = 'its pod is not ready'
export const noMirrorPod = 'no mirror runs on it'
