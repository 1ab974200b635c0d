package main

import "github.com/onlyonce-go/onlyonce/proof/figures"

// readDamage reads what the tests of boltdedupe told.
func readDamage(out output) ([]row, error) {
	const by, whole = "damage", "refused, or every row there"
	tests := []struct{ name, what, good string }{
		{"TestCrash", "bbolt: a worker killed while it writes", "nothing that was answered lost"},
		{"TestPowerFailure", "bbolt: the power fails in mid-transaction", "nothing that was answered lost, the last transaction whole or not there"},
		{"TestDiskThatLies", "bbolt: the power fails on a disk that lies about syncs", whole},
		{"TestTruncatedAnywhere", "bbolt: the file cut off anywhere", whole},
		{"TestPageOfGarbage", "bbolt: a page of garbage", whole},
		{"TestGarbageInPages", "bbolt: garbage within pages", whole},
		{"TestPageFromBefore", "bbolt: a page, or all but the head, from before", whole},
		{"TestTreeThatIsNone", "bbolt: sound pages that form no tree", "refused"},
		{"TestPagesThatPointAway", "bbolt: pages that lead out of the file, before and after it is opened", "refused, or an error of that call"},
		{"TestDamagedUnderUse", "bbolt: garbage in the file while it is open", "an error of that call and of all later ones"},
		{"TestFreeListDamagedUnderUse", "bbolt: the list of free pages gone while the file is open", "an error of that call, and the file can be closed"},
	}
	var rows []row
	for _, test := range tests {
		all, err := told[figures.Damage](out.attributes(test.name))
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			r := row{About: faults, What: test.what, By: by, Times: d.Tried, Result: test.good}
			if len(d.Found) > 0 {
				r.Result += " (" + counts(d.Found) + ")"
			}
			rows = append(rows, out.of(test.name, r))
		}
		rows = append(rows, out.silent(faults, by, test.name)...)
	}
	inOrder(rows)
	return rows, nil
}
