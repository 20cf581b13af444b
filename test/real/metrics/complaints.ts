// What a log complains of, in the lines of Go's programs and of those in their place.

/** What has nothing to do with what is served: certificates made for a day, and a descheduler built without its version. */
const ofThisMachine = ['the certificate expires at', 'failed to convert Descheduler minor version']

/** Lines that warn, or tell of an error. */
export function complaints(lines: readonly string[]): readonly string[] {
  return lines.filter(line => /^[EWF]\d{4} /.test(line) && !ofThisMachine.some(words => line.includes(words)))
}
