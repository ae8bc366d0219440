package dunning

import "testing"

func TestI14StagesOnlyGoForward(t *testing.T) {
	stages := Stages()
	for i, from := range stages {
		for j, to := range stages {
			want := from != StageFinished && (j == i+1 || to == StageFinished)
			if from.CanBecome(to) != want {
				t.Errorf("%s to %s: %v, want %v", from, to, !want, want)
			}
		}
		if rank, err := from.Rank(); err != nil || rank != i {
			t.Errorf("%s has rank %d, %v", from, rank, err)
		}
	}
	if _, err := Stage("angry").Rank(); err == nil {
		t.Error("an unknown stage has a rank")
	}
	if Stage("angry").CanBecome(StageRetrying) || StageCollecting.CanBecome("angry") {
		t.Error("an unknown stage has an edge")
	}
	stages[0] = "angry"
	if Stages()[0] != StageCollecting {
		t.Error("a caller changed the order of the stages")
	}
}
