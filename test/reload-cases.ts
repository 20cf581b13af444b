// Which test holds each case of the spec of restart on change: hashes (H), decisions (D), containers (C), what is written (S), faults (F).
import type { SpecCase } from './spec-cases.ts'

const hash = 'src/capabilities/reload/sources/content-hash.test.ts'
const decision = 'src/capabilities/reload/workloads/decision.test.ts'
const target = 'src/capabilities/reload/rollouts/target-container.test.ts'
const kinds = 'test/reload-kinds.deep.test.ts'
const change = 'src/capabilities/reload/rollouts/template-change.test.ts'
const plan = 'src/capabilities/reload/workloads/workload-plan.test.ts'
const onTwin = 'test/reload-on-twin.deep.test.ts'
const troubles = 'test/reload-troubles.deep.test.ts'
const selector = 'src/capabilities/reload/sources/scope-selector.test.ts'

// biome-ignore format: a table
export const reloadCases: readonly SpecCase[] = [
  { number: 'H1', what: 'one key', heldBy: [[hash, 'H1 one key of a ConfigMap']] },
  { number: 'H2', what: 'text and binary data', heldBy: [[hash, 'H2 text and binary']] },
  { number: 'H3', what: 'binary data alone', heldBy: [[hash, 'H3 binary only']] },
  { number: 'H4', what: 'entries are sorted, not keys', heldBy: [[hash, 'H4 sorted as entries, not by key']] },
  { number: 'H5', what: 'any order', heldBy: [[hash, 'H5 two keys'], [hash, 'H5 in the other order']] },
  { number: 'H6', what: 'bytes that are no UTF-8', heldBy: [[hash, 'H6 bytes that are no UTF-8']] },
  { number: 'H7', what: 'a Secret', heldBy: [[hash, 'H7 a Secret']] },
  { number: 'H8', what: 'what a pod mounts of a class', heldBy: [[hash, 'H8 what a SecretProviderClassPodStatus mounts']] },
  { number: 'H9', what: 'names of variables', heldBy: [[hash, 'H9 names of variables']] },
  { number: 'D1', what: 'auto, referred to', heldBy: [[decision, 'D1 auto, referred to']] },
  { number: 'D2', what: 'auto, not referred to', heldBy: [[decision, 'D2 auto, not referred to']] },
  { number: 'D3', what: 'named', heldBy: [[decision, 'D3 named, not referred to']] },
  { number: 'D4', what: 'named by a pattern', heldBy: [[decision, 'D4 one of two patterns']] },
  { number: 'D5', what: 'patterns without a group', heldBy: [[decision, 'D5 no group around an alternative: the end matches'], [decision, 'D5 no group around an alternative: the beginning matches']] },
  { number: 'D6', what: 'a pattern that does not compile', heldBy: [[decision, 'D6 a pattern that does not compile']] },
  { number: 'D7', what: 'a good one beside it', heldBy: [[decision, 'D7 a good one beside a bad one']] },
  { number: 'D8', what: 'auto of the other type', heldBy: [[decision, 'D8 auto for Secrets']] },
  { number: 'D9', what: 'excluded', heldBy: [[decision, 'D9 excluded'], [decision, 'D9 exclusion wins over a name']] },
  { number: 'D10', what: 'excluded on the template', heldBy: [[decision, 'D10 excluded on the template only'], [decision, 'D10 the same with compat.podTemplateExclude']] },
  { number: 'D11', what: 'search and match', heldBy: [[decision, 'D11 search and match'], [decision, 'D11 search and match, not referred to']] },
  { number: 'D12', what: 'search without match', heldBy: [[decision, 'D12 search without match'], [decision, 'D12 search that is not exactly true']] },
  { number: 'D13', what: 'ignored', heldBy: [[decision, 'D13 ignored by itself'], [decision, 'D13 ignored wins over a name'], [decision, 'D13 ignored only by the exact text']] },
  { number: 'D14', what: 'all by default', heldBy: [[decision, 'D14 autoReloadAll']] },
  { number: 'D15', what: 'all but who says no', heldBy: [[decision, 'D15 autoReloadAll, auto=false']] },
  { number: 'D16', what: 'all but who says anything else', heldBy: [[decision, 'D16 autoReloadAll, auto=yes'], [decision, 'D16 autoReloadAll, auto empty']] },
  { number: 'D17', what: 'auto on the template', heldBy: [[decision, 'D17 auto on the template']] },
  { number: 'D18', what: 'falls back to the template', heldBy: [[decision, 'D18 another type falls back to the template']] },
  { number: 'D19', what: 'does not', heldBy: [[decision, 'D19 the same type does not'], [decision, 'D19 an empty key keeps the template away']] },
  { number: 'D20', what: 'ignored Jobs', heldBy: [[decision, 'D20 ignored Jobs'], [decision, 'D20 CronJobs beside them']] },
  { number: 'D21', what: 'a bad entry in the list', heldBy: [[decision, 'D21 a bad entry voids the list in lenient mode']] },
  { number: 'C1', what: 'the second container', heldBy: [[target, 'C1 the second mounts it']] },
  { number: 'C2', what: 'an init container', heldBy: [[target, 'C2 only an init container mounts it']] },
  { number: 'C3', what: 'a projected Secret', heldBy: [[target, 'C3 a projected Secret']] },
  { number: 'C4', what: 'no container', heldBy: [[target, 'C4 an init container reads it, and there is no other']] },
  { number: 'C5', what: 'a volume of the CSI driver', heldBy: [[target, 'C5 a volume of the Secrets Store driver, whoever drives it'], [kinds, 'C5 a volume that names the class is a reference; ignore and match on the class count']] },
  { number: 'S1', what: 'a variable', heldBy: [[change, 'S1 no variable yet'], [change, 'S1 another hash'], [plan, 'S1 it is acted on, and remembered once that is done'], [onTwin, 'S1 rolls the Deployment that uses it out once, with its hash in the template']] },
  { number: 'S2', what: 'the same hash again', heldBy: [[change, 'S2 the same hash'], [plan, 'S2 killed after the patch and before it was remembered: no second one'], [onTwin, 'S2, S6 what changes nothing of the data writes nothing']] },
  { number: 'S3', what: 'an annotation', heldBy: [[change, "S3 upstream's text, to the letter"], [onTwin, 'S3 annotations say what was reloaded, when and for which container']] },
  { number: 'S4', what: 'a deletion, variable', heldBy: [[change, 'S4 a deletion takes the variable away'], [change, 'S4 a deletion without a variable'], [plan, 'S4 S5 deleted'], [onTwin, 'S4, S5 a deleted one is marked, %s']] },
  { number: 'S5', what: 'a deletion, annotation', heldBy: [[change, 'S5 a deletion has a hash of its own'], [plan, 'S4 S5 deleted'], [onTwin, 'S4, S5 a deleted one is marked, %s']] },
  { number: 'S6', what: 'labels only', heldBy: [[plan, 'S6 labels only: nothing'], [onTwin, 'S2, S6 what changes nothing of the data writes nothing']] },
  { number: 'S7', what: 'a CronJob', heldBy: [[plan, 'S7 a CronJob'], [plan, 'S7 the Job that comes of it: made by hand, owned by the CronJob, with the variable'], [onTwin, 'S7 a CronJob starts one Job with the change, and stays as it is']] },
  { number: 'S8', what: 'restart of a Rollout', heldBy: [[plan, 'S8 a Rollout that is to be restarted'], [kinds, 'S8 the strategy restart sets spec.restartAt alone, once for each change']] },
  { number: 'S9', what: 'a pause', heldBy: [[plan, 'S9 a Deployment with a pause'], [plan, 'S9 while it is paused'], [onTwin, 'S9, S10 holds three changes back for one roll-out, restarted meanwhile: %s']] },
  { number: 'S10', what: 'a restart in the pause', heldBy: [[onTwin, 'S9, S10 holds three changes back for one roll-out, restarted meanwhile: %s']] },
  { number: 'F1', what: 'one of three denied', heldBy: [[troubles, 'F1 is denied by admission: it backs off and is told, the others are reloaded exactly once']] },
  { number: 'F2', what: 'a quoted selector', heldBy: [[selector, 'F2 one selector with a set'], [selector, 'F2 a set and an equality']] },
]
