/** One name: its kind, then its value, in quotes where that holds a sign of this notation. */
const NAME = /([^:",]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y

/**
 * The DNS names among a certificate's alternative names, in lower case. Names in quotes are left
 * out, as no DNS name needs them; behind what can't be read, nothing is believed.
 *
 * @param text - As Node writes it, such as `DNS:acme.example.com, IP Address:10.0.0.1`.
 * @see https://nodejs.org/api/crypto.html#x509subjectaltname
 */
export function readDnsNames(text: string | undefined): readonly string[] {
  const names: string[] = []
  const pattern = new RegExp(NAME)
  while (text !== undefined && pattern.lastIndex < text.length) {
    const [, kind, value] = pattern.exec(text) ?? []
    if (kind === undefined || value === undefined) break
    if (kind === 'DNS' && !value.startsWith('"')) names.push(value.toLowerCase())
  }
  return names
}
