// A worker on files that ends by SIGKILL before or after one of its calls that change something: `node … <nth> <before|after>`. Without that
// it says at its end how many such calls there were.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [nth = '', when = ''] = process.argv.slice(2)
const at = Number(nth)
const { O_WRONLY } = fs.constants
let count = 0

/** Counts a call, and ends at the one that is asked for. */
function counted<Given extends readonly unknown[], Answer>(
  call: (...given: Given) => Answer,
  changes: (given: Given) => boolean,
) {
  return (...given: Given): Answer => {
    if (!changes(given)) return call(...given)
    count++
    if (count === at && when === 'before') process.kill(process.pid, 'SIGKILL')
    try {
      return call(...given)
    } finally {
      // A call that fails has been made, too: a name that is taken already, say.
      if (count === at && when === 'after') process.kill(process.pid, 'SIGKILL')
    }
  }
}

const always = () => true
fs.mkdirSync = counted(fs.mkdirSync, always)
fs.rmdirSync = counted(fs.rmdirSync, always)
fs.unlinkSync = counted(fs.unlinkSync, always)
fs.renameSync = counted(fs.renameSync, always)
fs.symlinkSync = counted(fs.symlinkSync, always)
fs.linkSync = counted(fs.linkSync, always)
fs.fsyncSync = counted(fs.fsyncSync, always)
fs.fchmodSync = counted(fs.fchmodSync, always)
fs.fchownSync = counted(fs.fchownSync, always)
fs.lchownSync = counted(fs.lchownSync, always)
fs.futimesSync = counted(fs.futimesSync, always)
fs.lutimesSync = counted(fs.lutimesSync, always)
fs.ftruncateSync = counted(fs.ftruncateSync, always)
fs.writeSync = counted(fs.writeSync as (...given: unknown[]) => number, always) as typeof fs.writeSync
fs.openSync = counted(fs.openSync, ([, flags]) => typeof flags === 'number' && (flags & O_WRONLY) !== 0)
syncBuiltinESMExports()

const { serve } = await import('../src/capabilities/nfs/files/file-work-process.ts')
serve()
// The driver's side asks by ending the conversation.
process.prependListener('disconnect', () => {
  fs.writeFileSync(1, String(count))
})
