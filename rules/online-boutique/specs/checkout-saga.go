// A saga: steps that are done in order, and undone in reverse when one fails. What is to be undone is
// written down before the step begins, so that another process can undo it when this one dies half-way.
type step struct {
	name string
	do   func(context.Context) error
	undo func(context.Context) error // may be called twice, and for a step that never took effect
}

type journal interface {
	Begin(ctx context.Context, order, step string) error
	Undone(ctx context.Context, order, step string) error
}

const undoTime = 30 * time.Second

func runSaga(ctx context.Context, order string, journal journal, steps []step) error {
	for i, s := range steps {
		err := journal.Begin(ctx, order, s.name)
		if err == nil {
			err = s.do(ctx)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.name, err), undoSaga(ctx, order, journal, steps[:i+1]))
		}
	}
	return nil
}

// undoSaga goes on although the customer has left: the charge must not stay.
func undoSaga(ctx context.Context, order string, journal journal, steps []step) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	var failed error
	for i := len(steps) - 1; i >= 0; i-- {
		if err := steps[i].undo(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("undo %s: %w", steps[i].name, err))
		} else {
			failed = errors.Join(failed, journal.Undone(ctx, order, steps[i].name))
		}
	}
	return failed
}
