// A process that is to end and does not, in the way that its argument says.
import { LastResort } from '../src/process/ending.ts'

const [way = '', ms = ''] = process.argv.slice(2)
const resort = new LastResort(
  () => process.exit(1),
  words => void process.stderr.write(`${words}\n`),
)
const turn = () => {
  for (;;);
}
if (way === 'blocked-without-parent') resort.afterParent(Number(ms))
else resort.begin(Number(ms))
if (way === 'open') setInterval(() => undefined, 1_000)
if (way === 'exits') setTimeout(() => process.exit(7), 100)
if (way.startsWith('blocked')) {
  process.stdout.write('turns\n')
  // The thread is begun by now, and needs nothing of this loop.
  setTimeout(turn, 0)
}
