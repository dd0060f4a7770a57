import t from 'tap'
import { foldCase } from '../../src/sql/fold-case.ts'

t.test('only ASCII letters are folded', async (t) => {
  t.equal(foldCase('Search_PATH'), 'search_path')
  t.equal(foldCase('WOR\u212a_É'), 'wor\u212a_É')
})
