// A process that is to end and does not, in the way that its argument says.
import { createServer } from 'node:net'
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
if (way === 'open') createServer().listen(0, '127.0.0.1')
if (way === 'exits') setImmediate(() => process.exit(7))
if (way.startsWith('blocked')) {
  process.stdout.write('turns\n')
  // The thread is begun by now, and needs nothing of this loop.
  setImmediate(turn)
}
