import fc from 'fast-check'
import t from 'tap'
import { saslPrep } from '../../src/wire/scram/saslprep.ts'

const ROWS = [
  { name: 'ASCII stays', text: 'pencil', expects: 'pencil' },
  { name: 'ASCII control characters stay', text: 'a\x07b\x7f', expects: 'a\x07b\x7f' },
  { name: 'nothing stays nothing', text: '', expects: '' },
  { name: 'a soft hyphen goes', text: 'I\u00adX', expects: 'IX' },
  { name: 'case stays', text: 'ÜSER', expects: 'ÜSER' },
  { name: 'compatibility forms are folded', text: '\u00aa\u2168', expects: 'aIX' },
  { name: 'parts are composed', text: 'u\u0308', expects: 'ü' },
  { name: 'a no-break space becomes a space', text: 'a\u00a0b', expects: 'a b' },
  { name: 'a zero width space becomes a space', text: 'a\u200bb', expects: 'a b' },
  { name: 'nothing but a soft hyphen stays', text: '\u00ad', expects: '\u00ad' },
  { name: 'prohibited: kept as it is', text: '\u2168\u0085', expects: '\u2168\u0085' },
  { name: 'prohibited ASCII beside others: kept', text: '\u2168\x07', expects: '\u2168\x07' },
  { name: 'private use: kept', text: '\u2168\ue000', expects: '\u2168\ue000' },
  { name: 'half a surrogate pair: kept', text: '\u2168\ud800', expects: '\u2168\ud800' },
  { name: 'unassigned in Unicode 3.2: kept', text: '\u2168\u0221', expects: '\u2168\u0221' },
  { name: 'emoji joined into one: kept', text: '👩\u200d👧\ufe0f', expects: '👩\u200d👧\ufe0f' },
  { name: 'a heart of 3.2 loses its variation selector', text: '\u2764\ufe0f', expects: '\u2764' },
  { name: 'right to left throughout', text: '\u0627\u00ad1\u0628', expects: '\u06271\u0628' },
  {
    name: 'right to left with a digit at the end: kept',
    text: '\u0627\u00ad1',
    expects: '\u0627\u00ad1',
  },
  {
    name: 'right to left with a digit first: kept',
    text: '1\u00ad\u0627',
    expects: '1\u00ad\u0627',
  },
  { name: 'both directions: kept', text: '\u0627\u00ada\u0628', expects: '\u0627\u00ada\u0628' },
]
for (const { name, text, expects } of ROWS) {
  t.test(name, async (t) => t.equal(saslPrep(text), expects))
}

t.test('what is prepared is either itself or normal', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const prepared = saslPrep(text)
      return prepared === text || prepared === prepared.normalize('NFKC')
    }),
  )
})
