// Which route answers for a model: `small=ollama,*=ollama-gpu`.
import type { RouteHints } from '../routing/route.ts'

/** What Ollama means by a name without a tag. */
const standardTag = ':latest'

/**
 * The name of the route that answers for `model`: the first whose model is it, begins it (`llama3*`), or is `*`. A request that names no model
 * goes where any does. Undefined: none is meant, and the request stays where it came.
 */
export function tierFor(tiers: RouteHints['modelTiers'], model: string | undefined): string | undefined {
  return tiers.find(tier => isMeant(tier.model, model))?.route
}

function isMeant(pattern: string, model: string | undefined): boolean {
  if (pattern === '*') return true
  if (model === undefined) return false
  if (pattern.endsWith('*')) return model.startsWith(pattern.slice(0, -1))
  return tagged(pattern) === tagged(model)
}

/** `llama3` is `llama3:latest`; a colon before a slash is that of a registry's port. */
function tagged(model: string): string {
  return model.indexOf(':', model.lastIndexOf('/') + 1) === -1 ? model + standardTag : model
}
