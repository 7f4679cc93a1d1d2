// The loss of a whole language model, and its gradients along random directions against differences
// of the reference's loss.
#include <cstdio>
#include <memory>

#include "check.hpp"
#include "network.hpp"
#include "reference.hpp"
#include "sets.hpp"

namespace {

using namespace recurra;
using namespace reference;

constexpr Index T = 9, B = 5, depth = 2;

struct Setting {
    Cell cell;
    Index V, E, H;
    bool tied;
    int threads;
};

// A weight in both precisions, its gradient as found, and the direction it is moved along.
struct Weight {
    Floats value, gradient, direction;
    Numbers at(double step) const {
        Numbers moved = wide(value);
        for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
        return moved;
    }
};

struct Layer {
    Weight ih, hh, bias, other;
};

struct Model {
    Setting it;
    Random random{std::mt19937_64(11)};
    Weight embedding, projection, projection_bias;
    std::vector<Layer> layers;
    std::vector<Index> ids, targets;
    Floats h0, c0, hN, cN;

    Weight weight(Index count, double limit) {
        return {random.uniform(count, limit), Floats((std::size_t)count), random.uniform(count, 1)};
    }

    explicit Model(const Setting& setting) : it(setting) {
        const Index V = it.V, E = it.E, H = it.H, GH = gates_of(it.cell) * H;
        const double limit = 1 / std::sqrt((double)H);
        embedding = weight(V * E, 1);
        for (Index l = 0; l < depth; ++l) {
            Layer& one = layers.emplace_back();
            one.ih = weight(GH * (l ? H : E ? E : V), limit);
            one.hh = weight(recurrent_gates_of(it.cell) * H * H, limit);
            one.bias = weight(GH, 0.5);
            if (it.cell == Cell::gru) one.other = weight(H, 0.5);
            if (it.cell == Cell::gru_reset_before) one.other = weight(H * H, limit);
        }
        projection = weight(it.tied ? 0 : V * H, 1);
        projection_bias = weight(V, 0.5);
        for (Index n = 0; n < T * B; ++n) {
            ids.push_back((Index)(random.engine() % (std::uint64_t)V));
            targets.push_back(n % 7 ? (Index)(random.engine() % (std::uint64_t)V) : -1);
        }
        h0 = random.uniform(depth * B * H, 0.5);
        c0 = random.uniform(depth * B * H, 0.5);
        hN.resize(h0.size()), cN.resize(h0.size());
    }

    double run() {
        const auto in = [](const Weight& w) { return w.value.empty() ? nullptr : w.value.data(); };
        const auto out = [](Weight& w) { return w.value.empty() ? nullptr : w.gradient.data(); };
        const bool lstm = it.cell == Cell::lstm;
        std::vector<LayerLoss> each;
        for (Index l = 0; l < depth; ++l) {
            Layer& one = layers[l];
            const Index at = l * B * it.H;
            each.push_back({in(one.ih), in(one.hh), in(one.bias), in(one.other), out(one.ih),
                            out(one.hh), out(one.bias), out(one.other), &h0[at],
                            lstm ? &c0[at] : nullptr, &hN[at], lstm ? &cN[at] : nullptr});
        }
        Weight& last = it.tied ? embedding : projection;
        NetworkLoss job{it.cell, T, B, it.V, it.E, it.H, ids.data(), targets.data(), in(embedding),
                        out(embedding), each.data(), depth, in(last), in(projection_bias),
                        out(last), out(projection_bias), nullptr, it.threads, 0};
        const Index floats = chosen_set().network_room(job);
        std::vector<float> memory((std::size_t)floats + 16);
        void* start = memory.data();
        std::size_t left = memory.size() * sizeof(float);
        job.room = (float*)std::align(64, (std::size_t)floats * sizeof(float), start, left);
        chosen_set().network_loss(job);
        return job.nats;
    }

    // The same in float64, every weight moved by `step` along its direction.
    double expected(double step) const {
        const Index V = it.V, E = it.E, H = it.H, GH = gates_of(it.cell) * H;
        const Numbers rows = embedding.at(step), bias = projection_bias.at(step);
        const Numbers last = it.tied ? rows : projection.at(step);
        std::vector<Numbers> ih, biases;
        std::vector<Weights> weights;
        for (const Layer& one : layers) {
            const Numbers other = one.other.at(step);
            ih.push_back(one.ih.at(step));
            biases.push_back(one.bias.at(step));
            weights.push_back({one.hh.at(step), other, other});
        }
        double sum = 0;
        Index counted = 0;
        for (Index b = 0; b < B; ++b) {
            std::vector<State> states;
            for (Index l = 0; l < depth; ++l) {
                const auto at = [&](const Floats& all) {
                    const auto from = all.begin() + (l * B + b) * H;
                    return wide({from, from + H});
                };
                states.push_back({at(h0), at(c0)});
            }
            for (Index t = 0; t < T; ++t) {
                const Index id = ids[t * B + b], target = targets[t * B + b];
                Numbers input((std::size_t)(E ? E : V));
                for (Index i = 0; i < E; ++i) input[i] = rows[id * E + i];
                if (!E) input[id] = 1;
                for (Index l = 0; l < depth; ++l) {
                    Numbers x = product(ih[l], GH, input);
                    for (Index i = 0; i < GH; ++i) x[i] += biases[l][i];
                    reference::step(it.cell, weights[l], x.data(), states[l]);
                    input = states[l].h;
                }
                if (target < 0) continue;
                Numbers logits = product(last, V, input);
                double total = 0;
                for (Index v = 0; v < V; ++v) total += std::exp(logits[v] += bias[v]);
                sum += std::log(total) - logits[target];
                ++counted;
            }
        }
        return sum / (double)counted;
    }

    double along_direction() const {
        double sum = 0;
        const auto add = [&](const Weight& w) {
            for (std::size_t i = 0; i < w.gradient.size(); ++i)
                sum += (double)w.gradient[i] * w.direction[i];
        };
        add(embedding), add(projection), add(projection_bias);
        for (const Layer& one : layers) add(one.ih), add(one.hh), add(one.bias), add(one.other);
        return sum;
    }
};

int check_setting(const Setting& it) {
    constexpr double step = 1e-5;
    Model model(it);
    const double found = model.run(), slope = model.along_direction();
    const double expected = model.expected(0);
    const double difference = (model.expected(step) - model.expected(-step)) / (2 * step);
    // float32 sums over T·B tokens; a relu's kink within `step` may add a little.
    const double off = std::fabs(slope - difference) / std::fmax(std::fabs(difference), 0.1);
    if (std::fabs(found - expected) <= 1e-5 && off <= 1e-3) return 0;
    std::fprintf(stderr, "network %s V=%ld E=%ld H=%ld%s: nats %.7f not %.7f, slope %.6g not %.6g\n",
                 name_of(it.cell), (long)it.V, (long)it.E, (long)it.H, it.tied ? " tied" : "", found,
                 expected, slope, difference);
    return 1;
}

}  // namespace

int check::networks() {
    int failed = 0;
    for (const Cell cell : cells)
        for (const int threads : {1, 2}) {
            failed += check_setting({cell, 37, 11, 21, false, threads});
            failed += check_setting({cell, 6, 0, 33, false, threads});
            failed += check_setting({cell, 300, 17, 17, true, threads});
        }
    return failed;
}
