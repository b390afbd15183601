"""What a watch promises beside its figures: a training that is left alone, a record that is whole, and clear refusals."""
