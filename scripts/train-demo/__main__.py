"""Trains the embedded model: `python scripts/train-demo`."""

from t5_demo.run import main

if __name__ == "__main__":
    main()
