// What stands in place of a table without rows: that there are none, or that nobody knows. Pure; server and page say the same.
import type { Source } from '../contract.ts'

type Sources = readonly Source[]

const bare = (because: string): string => because.replace(/\.$/, '')

/** Why nothing is known of a kind, called as in the API, or of a source; undefined where it is heard. */
function unheard(sources: Sources, ...names: readonly string[]): string | undefined {
  const found = sources.find(({ name, state, because }) => names.includes(name) && state === 'down' && because !== null)
  return found?.because === null || found === undefined ? undefined : bare(found.because)
}

/** On the page of all plans. */
export function noPlansText(sources: Sources): string {
  const unread = unheard(sources, 'api', 'rebalanceplans')
  if (unread !== undefined) return `Whether there are plans is not known. ${unread}.`
  const { state = 'live', because = null } = sources.find(({ name }) => name === 'controller') ?? {}
  if ((state === 'down' || state === 'off') && because !== null) return `No plan is kept, and none is made. ${bare(because)}.`
  return 'No plan is kept. One is made when a goal is missed and its policy is due; without a goal Ballast only reports.'
}

/** On the page of all workloads, where nothing was searched for. */
export function noWorkloadsText(sources: Sources): string {
  const unread = unheard(sources, 'api', 'pods', 'deployments', 'statefulsets', 'daemonsets')
  return unread === undefined ? 'The cluster has no workloads.' : `Whether there are workloads is not known. ${unread}.`
}

/** On the page of permits. */
export function noPermitsText(sources: Sources): string {
  const unread = unheard(sources, 'api', 'ledger')
  return unread === undefined
    ? 'No permits yet. They appear when something asks to disrupt a pod.'
    : `Whether there are any is not known. ${unread}.`
}
