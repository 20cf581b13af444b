// Reload against its budgets (docs/reload.md): `node bench/reload-budgets.ts [B1 B2 …]`; B3 is `reload.ts`. Two minutes each at most.
import { openReplay, type Replay } from '../test/real/reload/replay.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { fanOut, manyWorkloads, noOps, storm, takeOver } from './reload-bursts.ts'
import { manySources } from './reload-many-sources.ts'

const bursts: Readonly<Record<string, (replay: Replay) => Promise<readonly BudgetRow[]>>> = {
  B2: fanOut,
  B4: noOps,
  B5: storm,
  B6: takeOver,
  B8: manyWorkloads,
}

async function main(wanted: readonly string[]): Promise<void> {
  const isWanted = (...names: readonly string[]) => wanted.length === 0 || names.some(name => wanted.includes(name))
  if (isWanted('B1', 'B7')) console.log(budgetTable(await manySources()))
  for (const [name, measure] of Object.entries(bursts)) {
    if (!isWanted(name)) continue
    await using replay = await openReplay()
    console.log(budgetTable(await measure(replay)))
  }
}

await main(process.argv.slice(2))
