// A worker for tests: it hangs in the kernel at the path `…/hang` (a pipe that nobody writes), answers everything else at once, and fails as it is told.
import { openSync } from 'node:fs'

process.on('message', (work: { readonly path: string }) => {
  const { path } = work
  if (path.endsWith('/hang')) openSync(path, 'r')
  if (path.endsWith('/dies')) {
    process.stderr.write('out of memory')
    process.exit(7)
  }
  if (path.endsWith('/progress')) process.send?.({ kind: 'progress', progress: { entries: 3, bytes: 4 } })
  process.send?.({ kind: 'result', result: { pid: process.pid } })
})
process.on('disconnect', () => process.exit(0))
