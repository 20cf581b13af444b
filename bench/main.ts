// `npm run bench`: every benchmark, one after the other, each in a process of its own so that its memory is its own.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const benchmarks = [
  'start.ts',
  'dashboard-start.ts',
  'doctor.ts',
  'memory.ts',
  'plan.ts',
  'descheduler.ts',
  'scheduler-model.ts',
  'simulate.ts',
  'snapshot.ts',
  'arbiter.ts',
  'watch-intake.ts',
  'informers.ts',
  'twin-load.ts',
  'twin-reads.ts',
  'twin-cost.ts',
  'twin-hour.ts',
  'twin-watchers.ts',
  'api-writes.ts',
  'api-load.ts',
  'reload.ts',
  'reload-budgets.ts',
  'dashboard-stream.ts',
  'mirror.ts',
  'metrics.ts',
  'metrics-part.ts',
  'metrics-peers.ts',
  'autoscale.ts',
  'gateway.ts',
  'features.ts',
  'features-nodes.ts',
  'devices.ts',
  'hardware-page.ts',
  'nfs-files.ts',
  'nfs.ts',
  'nfs-memory.ts',
  'nfs-pairs.ts',
  'nfs-snapshots.ts',
]
const words = process.argv.slice(2)
const flagsAt = words.findIndex(word => word.startsWith('--'))
const wanted = flagsAt < 0 ? words : words.slice(0, flagsAt)
/** From the first flag on the words are the benchmark's own. */
const flags = flagsAt < 0 ? [] : words.slice(flagsAt)

for (const file of benchmarks.filter(name => wanted.length === 0 || wanted.some(word => name.startsWith(word)))) {
  process.stdout.write(`\n${file}\n`)
  const program = join(import.meta.dirname, file)
  const { status } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...flags], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exitCode = 1
}
